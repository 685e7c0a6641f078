using System.Text;
using System.Text.Json;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Simulation;

/// <summary><c>kvasir simulate</c> as a program.</summary>
public sealed class ReportVerbTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_made_trace_is_replayed_told_and_shown()
    {
        KvasirResult result = Run("simulate", "chat:users=5,turns=3", "--price", "2", "--html", _folder["page.html"]);
        Assert.All(["chat:users=5,turns=3: 15 requests", "1 machine: device 16 GiB (lru), host 64 GiB (hit-density)", "computed", "TTFT",
            "worth"], text => Assert.Contains(text, result.Answer, StringComparison.Ordinal));
        Assert.StartsWith("<!doctype html>", File.ReadAllText(_folder["page.html"]), StringComparison.Ordinal);
    }

    [Fact]
    public void Policies_are_compared_with_what_nobody_can_beat()
    {
        JsonElement json = Run("simulate", "chat:users=20,turns=4", "--policies", "100..400,50", "--judge-from", "0.5", "--json").Json;
        Dictionary<(string, int), double> shares = json.GetProperty("outcomes").EnumerateArray().ToDictionary(
            outcome => (outcome.GetProperty("policy").GetString()!, outcome.GetProperty("blocks").GetInt32()),
            outcome => outcome.GetProperty("share").GetDouble());
        double endless = json.GetProperty("endless").GetProperty("share").GetDouble();
        Assert.Equal(5 * 4, shares.Count);
        Assert.All(shares, each => Assert.InRange(each.Value, 0.01, shares[("belady", each.Key.Item2)]));
        Assert.All(shares.Values, share => Assert.True(share <= endless));
        Assert.Contains("hit-density", Run("simulate", "scan:requests=5", "--policies", "10").Answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--policies '0': '0', expected a number of blocks from 1", "--policies", "0")]
    [InlineData("--policies '5..2': 5..2, expected FIRST..LAST from less to more", "--policies", "5..2")]
    [InlineData("--policies ',': '', expected a number of blocks", "--policies", ",")]
    [InlineData("--host: expected without --policies", "--policies", "10", "--host", "1GiB")]
    [InlineData("--sweep: expected without --policies", "--policies", "10", "--sweep", "host=1GiB")]
    [InlineData("--judge-from: expected with --policies", "--judge-from", "0.5")]
    [InlineData("--judge-from '1': expected a number from 0 up to below 1", "--policies", "10", "--judge-from", "1")]
    public void Comparisons_of_policies_that_make_no_sense_are_refused(string error, params string[] flags) =>
        Run(["simulate", "chat:users=2", .. flags]).Fails(2, error);

    [Fact]
    public void A_model_on_hardware_says_how_large_tokens_and_how_fast_machines_are()
    {
        JsonElement json = Run("simulate", "chat:users=5,turns=2", "-m", "llama-3-8b", "--hardware", "h200",
            "--weights", "q8_0", "--json").Json;
        Assert.Contains("h200", json.GetProperty("model").GetString(), StringComparison.Ordinal);
        JsonElement fleet = json.GetProperty("fleet");
        Assert.Equal(131_072, fleet.GetProperty("bytes_per_token").GetInt64());
        Assert.InRange(fleet.GetProperty("prefill_tokens_per_s").GetDouble(), 30_000, 40_000); // half of 989e12 / (2 · 6.98e9)
        // 0.9 · 141e9 bytes less 8 GB of weights
        Assert.InRange(fleet.GetProperty("tiers")[0].GetProperty("bytes").GetInt64(), 115L << 30, 122L << 30);
        Assert.Equal(3072, Run("simulate", "chat:users=5,turns=2", "-m", "saga", "--hardware", "h200", "--kv-type", "f32", "--json").Json
            .GetProperty("fleet").GetProperty("bytes_per_token").GetInt64());
    }

    [Fact]
    public void A_recording_brings_its_own_sizes_and_its_torn_end_is_told()
    {
        string path = _folder.Write("t.jsonl", Encoding.UTF8.GetBytes("""
            {"kvasir_trace": 1, "block_tokens": 4, "model": "saga", "bytes_per_token": 6144}
            {"timestamp": 0, "input_length": 8, "output_length": 1, "hash_ids": [1, 2]}
            {"timestamp": 60000, "input_length": 9, "output_length": 1, "hash_ids": [1, 2, 3]}
            {"timestamp": 61000, "inp
            """));
        KvasirResult result = Run("simulate", path, "--json", "--sweep", "host=0,1MiB policy=lru,s3-fifo");
        Assert.Contains("t.jsonl:4: the last line is torn and was left out", result.Errors, StringComparison.Ordinal);
        JsonElement json = result.Json;
        Assert.Equal(4, json.GetProperty("trace").GetProperty("block_tokens").GetInt32());
        Assert.Equal(6144, json.GetProperty("fleet").GetProperty("bytes_per_token").GetInt64());
        // the second request finds both blocks of the first
        Assert.Equal(8,
            json.GetProperty("outcome").GetProperty("tiers").EnumerateArray().Sum(tier => tier.GetProperty("hit_tokens").GetInt64()));
        Assert.Equal(4, json.GetProperty("sweep").GetArrayLength());
    }

    [Fact]
    public void A_store_and_what_each_machine_finds_there_are_told_and_shown()
    {
        string[] fleet = ["simulate", "chat:users=20,turns=3", "--nodes", "3", "--placement", "round-robin", "--remote", "1TiB@4GiB/s,1ms",
            "--remote-bandwidth", "8GiB/s", "--remote-price", "2", "--remote-request-price", "0.01"];
        KvasirResult text = Run([.. fleet, "--html", _folder["page.html"]]);
        Assert.All(["remote 1 TiB (lru)", "machine", "store: ", "in the busiest", "it costs "],
            part => Assert.Contains(part, text.Answer, StringComparison.Ordinal));
        string page = File.ReadAllText(_folder["page.html"]);
        Assert.All(["What each machine found", "The store", "8.00 GiB a second for all machines together"],
            part => Assert.Contains(part, page, StringComparison.Ordinal));
        JsonElement json = Run([.. fleet, "--json"]).Json, outcome = json.GetProperty("outcome"), store = outcome.GetProperty("store");
        Assert.Equal(8L << 30, json.GetProperty("fleet").GetProperty("store").GetProperty("bytes_per_s").GetInt64());
        Assert.All(["bytes_read", "bytes_written", "peak_bytes", "requests", "requests_per_s", "price"],
            name => Assert.True(store.GetProperty(name).GetDouble() > 0, name));
        JsonElement[] nodes = [.. outcome.GetProperty("nodes").EnumerateArray()];
        Assert.Equal([20, 20, 20], nodes.Select(node => node.GetProperty("requests").GetInt32()));
        Assert.All(nodes, node => Assert.InRange(node.GetProperty("token_shares").GetProperty("remote").GetDouble(), 0.01, 1));
        JsonElement without = Run("simulate", "chat:users=2", "--json").Json.GetProperty("outcome");
        Assert.Equal(JsonValueKind.Null, without.GetProperty("store").ValueKind);
    }

    [Theory]
    [InlineData("--remote '1TiB@1GiB/s,-2ms': expected a time such as 200us or 2ms", "--remote", "1TiB@1GiB/s,-2ms")]
    [InlineData("--remote 'big': expected a size such as 64GiB, or 'unlimited'", "--remote", "big")]
    [InlineData("--remote-price '0.1': expected --remote with the size of the store, too", "--remote-price", "0.1")]
    [InlineData("--remote-price '-1': expected a number above 0", "--remote", "1TiB", "--remote-price", "-1")]
    [InlineData("--remote-bandwidth '0/s': expected a speed such as 4GiB/s, or unlimited", "--remote", "1TiB", "--remote-bandwidth", "0/s")]
    [InlineData("--remote-value '0': expected a size above 0", "--remote", "1TiB", "--remote-value", "0")]
    [InlineData("--nodes 0: expected 1 to 10000", "--nodes", "0", "--remote", "1TiB")]
    [InlineData("--placement 'session': no request of scan goes on with an earlier one; expected one of round-robin",
        "--placement", "session")]
    [InlineData("--sweep placement 'session': no request of scan", "--sweep", "placement=chain,session")]
    public void A_store_that_makes_no_sense_is_told_in_a_line(string error, params string[] flags) =>
        Run(["simulate", "scan", .. flags]).Fails(2, error);

    [Fact]
    public void What_makes_no_sense_is_told_in_a_line()
    {
        Run("simulate", "chta:users=5")
            .Fails(2, "'chta:users=5' is no file, and no line that makes a trace: expected one that begins with chat");
        Run("simulate", "chat:users=x").Fails(2, "chat: users 'x': expected a whole number from 1 to 1000000");
        Run("simulate", "chat", "--host", "5GB").Fails(2, "--host '5GB'");
        Run("simulate", "chat", "--prefill", "0").Fails(2, "--prefill '0': expected a number above 0");
        Run("simulate", "chat", "--nodes", "2", "--fault", "node-loss@5s:node=2").Fails(2, "--fault: node=2, expected 0 to 1");
        Run("simulate", "chat", "--policy", "host=mru").Fails(2, "--policy 'host=mru': expected lru, s3-fifo or hit-density, or TIER=POLICY");
        Run("simulate", _folder.Write("t.jsonl", Encoding.UTF8.GetBytes("{\"timestamp\": -1}")))
            .Fails(1, "t.jsonl:1: field 'timestamp': saw -1");
    }

    [Fact]
    public void What_can_be_set_is_listed() =>
        Assert.Contains("mean seconds from one turn to the next", Run("simulate", "chat:help").Answer, StringComparison.Ordinal);
}
