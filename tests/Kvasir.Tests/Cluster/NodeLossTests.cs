using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Cluster.Events;
using Kvasir.Cluster.Routing;
using Kvasir.KvCache.Routing;
using Kvasir.Tests.Server;

namespace Kvasir.Tests.Cluster;

/// <summary>Nodes that are gone, refuse, lie, or are not what they should be: what they do not answer others do.</summary>
public sealed class NodeLossTests
{
    [Fact]
    public async Task A_node_that_goes_is_out_at_once_and_no_request_is_lost()
    {
        await using RouterFixture router = await RouterFixture.StartWith(2, RoutingPolicyKind.RoundRobin);
        ServerFixture[] nodes = router.Servers;
        Node gone = router.Node(nodes[0]);
        for (int request = 10; request < 12; request++)
            await router.Ask("/v1/completions", RouterFixture.Prompt(request));
        await nodes[0].Server.Stop();
        for (int request = 0; request < 4; request++)
        {
            (JsonElement _, string by) = await router.Ask("/v1/completions", RouterFixture.Prompt(request));
            Assert.NotEqual(gone.Name, by);
        }
        await Within(2, () => !gone.IsAlive && gone.Counts.LostPieces > 0);
        Assert.Single(router.Lines, line => line.StartsWith($"node {gone.Name}: ", StringComparison.Ordinal)
            && !line.Contains("is there", StringComparison.Ordinal));
        await nodes[1].Server.Stop();
        using HttpResponseMessage response = await router.Post("/v1/completions", RouterFixture.Prompt(1));
        string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("no_node", JsonElement.Parse(text).GetProperty("error").GetProperty("code").GetString());
        Assert.DoesNotContain('\n', text.TrimEnd());
    }

    [Fact]
    public async Task A_node_that_is_not_there_at_start_is_told_once_and_serves_when_it_comes()
    {
        await using ServerFixture there = await ServerFixture.Start();
        using FakeNode late = new();
        string address = late.Address;
        late.Dispose();
        await using RouterFixture router = await RouterFixture.Start([there.Server.Address, address]);
        Assert.Equal(1, router.Router.AliveNodes);
        await router.Ask("/v1/completions", RouterFixture.Prompt(1));
        using FakeNode back = new(new Uri(address).Port) { Fingerprint = there.Engine.Cache.Fingerprint.ToString() };
        await Within(2, () => router.Router.AliveNodes == 2);
        Assert.Single(router.Lines, line => line.Contains(new Uri(address).Authority, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("429")]
    [InlineData("503")]
    [InlineData("drop")]
    [InlineData("hang")]
    public async Task What_a_node_does_not_begin_to_answer_another_does(string how)
    {
        await using ServerFixture good = await ServerFixture.Start();
        using FakeNode bad = new() { Fingerprint = good.Engine.Cache.Fingerprint.ToString(), Answer = how };
        await using RouterFixture router = await RouterFixture.Start([bad.Address, good.Server.Address], RoutingPolicyKind.RoundRobin);
        await Within(2, () => router.Router.AliveNodes == 2);
        for (int request = 0; request < 4; request++)
        {
            Task<(JsonElement, string Node)> asked = router.Ask("/v1/completions", RouterFixture.Prompt(request));
            if (how == "hang")
            {
                await ServerFixture.Until(() => asked.IsCompleted || bad.Hangs > 0, "it hangs or another answers");
                bad.IsSilent = true;
            }
            Assert.Equal(router.Node(good).Name, (await asked).Node);
        }
        Assert.True(router.Router.Nodes.All[0].Counts.RetriedRequests > 0);
    }

    [Fact]
    public async Task After_the_first_byte_nothing_is_tried_again()
    {
        await using ServerFixture good = await ServerFixture.Start();
        using FakeNode bad = new() { Fingerprint = good.Engine.Cache.Fingerprint.ToString(), Answer = "cut" };
        await using RouterFixture router = await RouterFixture.Start([bad.Address, good.Server.Address], RoutingPolicyKind.RoundRobin);
        await Within(2, () => router.Router.AliveNodes == 2);
        int cut = 0;
        for (int request = 0; cut == 0 && request < 10; request++) // its turn comes second, unless it seemed dead for a moment
            try
            {
                using HttpResponseMessage response = await router.Post("/v1/completions", RouterFixture.Prompt(request));
                await response.Content.ReadAsStringAsync(ServerFixture.Patience);
            }
            catch (HttpRequestException)
            {
                cut++;
            }
        Assert.Equal(1, cut);
        Assert.Equal(0, router.Router.Nodes.All[0].Counts.RetriedRequests);
        await ServerFixture.Until(() => router.Router.Nodes.All[0].Counts.FailedRequests > 0, "the router has counted it");
        Assert.Equal(1, router.Router.Nodes.All[0].Counts.FailedRequests);
    }

    [Fact]
    public async Task Hints_that_lie_cost_time_and_nothing_else()
    {
        await using RouterFixture router = await RouterFixture.StartWith(2);
        ServerFixture[] nodes = router.Servers;
        JsonElement right = await nodes[0].Ask("/v1/completions", RouterFixture.Prompt(5));
        foreach (ServerFixture liar in nodes)
        {
            PromptChain chain = ChainOf(RouterFixture.Prompt(5));
            foreach (Node node in router.Router.Nodes.All)
                router.Router.Nodes.Prefixes.Clear(node.Number);
            router.Router.Nodes.Prefixes.Add(router.Node(liar).Number, chain.Hashes);
            (JsonElement answer, string by) = await router.Ask("/v1/completions", RouterFixture.Prompt(5));
            Assert.Equal(router.Node(liar).Name, by);
            Assert.Equal(right.GetProperty("choices")[0].GetProperty("text").GetString(),
                answer.GetProperty("choices")[0].GetProperty("text").GetString());
        }
    }

    [Fact]
    public async Task After_a_gap_the_router_asks_again_and_another_incarnation_begins_anew()
    {
        using FakeNode node = new();
        await using RouterFixture router = await RouterFixture.Start([node.Address]);
        PrefixMap known = router.Router.Nodes.Prefixes;
        await node.Say(NodeEvents.Snapshot, """{"sequence":0,"hashes":""}""");
        await node.Say(NodeEvents.Added, Change(1, 11, 12));
        await Within(2, () => known.Known(0, [11, 12]) == 2);
        await node.Say(NodeEvents.Removed, Change(2, 11));
        await Within(2, () => known.Known(0, [11, 12]) == 1);
        int before = node.Connections;
        await node.Say(NodeEvents.Added, Change(4, 13));
        await Within(2, () => node.Connections == before + 1);
        Assert.Equal(1, router.Router.AliveNodes); // it was there all the time
        await node.Say(NodeEvents.Snapshot, Change(0, 21));
        await Within(2, () => known.Known(0, [11, 12, 13, 21]) == 1 && known.Known(0, [21]) == 1);
        node.Incarnation = "another";
        node.Cut();
        await Within(3, () => router.Router.Nodes.All[0].Hello?.Incarnation == "another" && known.Count(0) == 0);
    }

    [Fact]
    public async Task Who_does_not_fit_is_left_out_in_one_line()
    {
        await using RouterFixture first = await RouterFixture.StartWith(2);
        ServerFixture[] nodes = first.Servers;
        string fingerprint = nodes[0].Engine.Cache.Fingerprint.ToString();
        using FakeNode other = new() { Fingerprint = "feedface" }, newer = new() { Version = 2 },
            one = new() { Fingerprint = fingerprint, Incarnation = "1" }, twin = new() { Fingerprint = fingerprint, Incarnation = "1" };
        await using RouterFixture self = await RouterFixture.Start([nodes[0].Server.Address]);
        await using RouterFixture router = await RouterFixture.Start([.. nodes.Select(node => node.Server.Address), other.Address,
            newer.Address, self.Router.Address, one.Address, twin.Address]);
        await Within(3, () => router.Lines.Length >= 7);
        Assert.Equal(3, router.Router.AliveNodes);
        string said = string.Join('\n', router.Lines);
        Assert.Contains("fingerprint feedface", said, StringComparison.Ordinal);
        Assert.Contains("speaks version 2 of the events, expected 1", said, StringComparison.Ordinal);
        Assert.Contains("is a router, expected a node", said, StringComparison.Ordinal);
        Assert.Contains("under another name", said, StringComparison.Ordinal);
        Assert.Equal(7, router.Lines.Length);
    }

    [Fact]
    public async Task A_silent_node_is_out_within_two_seconds_and_back_when_it_speaks()
    {
        using FakeNode node = new();
        await using RouterFixture router = await RouterFixture.Start([node.Address]);
        Assert.Equal(1, router.Router.AliveNodes);
        node.IsSilent = true;
        await Within(2.2, () => router.Router.AliveNodes == 0);
        node.IsSilent = false;
        await Within(2.2, () => router.Router.AliveNodes == 1);
    }

    [Fact]
    public async Task What_nodes_and_routers_say_is_what_the_book_has()
    {
        await using RouterFixture router = await RouterFixture.StartWith(1);
        ServerFixture[] nodes = router.Servers;
        await router.Ask("/v1/completions", RouterFixture.Prompt(3));
        PromptChain chain = ChainOf(RouterFixture.Prompt(3));
        await using RouterFixture other = await RouterFixture.Start([nodes[0].Server.Address]); // learns it by the snapshot
        await Within(2, () => other.Router.Nodes.Prefixes.Known(0, chain.Hashes) == chain.Hashes.Length);
        await nodes[0].Ask("/v1/kv/evict", new JsonObject { ["all"] = true });
        await Within(12, () => other.Router.Nodes.Prefixes.Known(0, chain.Hashes) == 0);
    }

    static PromptChain ChainOf(JsonObject body) =>
        PromptChain.Of("/v1/completions", null, null, Encoding.UTF8.GetBytes(body.ToJsonString()));

    static string Change(long sequence, params ulong[] hashes) =>
        $"{{\"sequence\":{sequence},\"hashes\":\"{NodeEvents.TextOf(hashes)}\"}}";

    static async Task Within(double seconds, Func<bool> condition)
    {
        for (long start = Stopwatch.GetTimestamp(); !condition(); await Task.Delay(5, ServerFixture.Patience))
            Assert.True(Stopwatch.GetElapsedTime(start).TotalSeconds < seconds * Slack, $"not within {seconds} s");
    }

    /// <summary>What is promised holds on a machine that has time; tests share theirs.</summary>
    const double Slack = 3;
}
