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
        Assert.All(["chat:users=5,turns=3: 15 requests", "1 machine: device 16 GiB (lru), host 64 GiB (s3-fifo)", "computed", "TTFT",
            "worth"], text => Assert.Contains(text, result.Answer, StringComparison.Ordinal));
        Assert.StartsWith("<!doctype html>", File.ReadAllText(_folder["page.html"]), StringComparison.Ordinal);
    }

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
    public void What_makes_no_sense_is_told_in_a_line()
    {
        Run("simulate", "chta:users=5")
            .Fails(2, "'chta:users=5' is no file, and no line that makes a trace: expected one that begins with chat");
        Run("simulate", "chat:users=x").Fails(2, "chat: users 'x': expected a whole number from 1 to 1000000");
        Run("simulate", "chat", "--host", "5GB").Fails(2, "--host '5GB'");
        Run("simulate", "chat", "--prefill", "0").Fails(2, "--prefill '0': expected a number above 0");
        Run("simulate", "chat", "--nodes", "2", "--fault", "node-loss@5s:node=2").Fails(2, "--fault: node=2, expected 0 to 1");
        Run("simulate", "chat", "--policy", "host=mru").Fails(2, "--policy 'host=mru': expected lru or s3-fifo, or TIER=POLICY");
        Run("simulate", _folder.Write("t.jsonl", Encoding.UTF8.GetBytes("{\"timestamp\": -1}")))
            .Fails(1, "t.jsonl:1: field 'timestamp': saw -1");
    }

    [Fact]
    public void What_can_be_set_is_listed() =>
        Assert.Contains("mean seconds from one turn to the next", Run("simulate", "chat:help").Answer, StringComparison.Ordinal);
}
