using System.Text.Json;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Server;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cluster;

/// <summary><c>kvasir route</c> as a command.</summary>
public sealed class RouteVerbTests
{
    [Theory]
    [InlineData("--node: there is none, expected at least one, such as http://10.0.0.1:8080")]
    [InlineData("--node 'http//10.0.0.1': expected scheme, host and port", "--node", "http//10.0.0.1")]
    [InlineData("--node 'ftp://10.0.0.1/': expected scheme, host and port", "--node", "ftp://10.0.0.1/")]
    [InlineData("--node 'http://10.0.0.1:1/v1': expected scheme, host and port", "--node", "http://10.0.0.1:1/v1")]
    [InlineData("--node http://localhost:1: named twice", "--node", "http://127.0.0.1:1", "--node", "http://localhost:1")]
    [InlineData("--node http://127.0.0.1:8090: that is the router itself", "--node", "http://127.0.0.1:1,http://127.0.0.1:8090")]
    [InlineData("--policy 'best': expected prefix, affinity, random, round-robin", "--node", "http://127.0.0.1:1", "--policy", "best")]
    public void What_is_wrong_is_one_line(string error, params string[] args) => Run(["route", .. args]).Fails(2, error);

    [Fact]
    public async Task It_says_where_it_listens_what_becomes_of_nodes_and_that_it_stops()
    {
        await using ServerFixture node = await ServerFixture.Start();
        using KvasirProcess router = Start("route", "--json", "--port", "0", "--node", $"{node.Server.Address},http://127.0.0.1:1");
        List<JsonElement> lines = [];
        while (lines.Count < 3)
            lines.Add(JsonElement.Parse((await router.Output.ReadLineAsync(ServerFixture.Patience))!));
        JsonElement start = lines.Single(line => line.GetProperty("event").GetString() == "started");
        Assert.Equal(("prefix", 2, 1), (start.GetProperty("policy").GetString(), start.GetProperty("nodes").GetArrayLength(),
            start.GetProperty("alive").GetInt32()));
        Assert.Contains(lines, line => line.GetProperty("event").GetString() == "note"
            && line.GetProperty("text").GetString()!.StartsWith("node 127.0.0.1:1: Connection refused", StringComparison.Ordinal));
        using HttpClient client = new() { BaseAddress = new Uri(start.GetProperty("address").GetString()!) };
        Assert.Contains("<html", await client.GetStringAsync("/", ServerFixture.Patience), StringComparison.Ordinal);
        JsonElement fleet = JsonElement.Parse(await client.GetStringAsync("/v1/fleet", ServerFixture.Patience));
        Assert.Equal([true, false], fleet.GetProperty("nodes").EnumerateArray().Select(one => one.GetProperty("alive").GetBoolean()));
        Assert.True(fleet.GetProperty("nodes")[0].GetProperty("stats").TryGetProperty("tiers", out _));
        Assert.Contains("kvasir_router_node_up{node=\"127.0.0.1:1\"} 0",
            await client.GetStringAsync("/metrics", ServerFixture.Patience), StringComparison.Ordinal);
        router.Interrupt();
        Assert.EndsWith("{\"event\":\"stopped\"}\n", router.Finish().Succeeds().Answer, StringComparison.Ordinal);
    }
}
