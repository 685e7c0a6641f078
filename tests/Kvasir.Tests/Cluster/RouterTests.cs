using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Cluster.Routing;
using Kvasir.KvCache.Routing;
using Kvasir.Server;
using Kvasir.Server.Security;
using Kvasir.Tests.Server;

namespace Kvasir.Tests.Cluster;

/// <summary>A router before servers of the embedded model: everything passes, and what a node does not answer another does.</summary>
public sealed class RouterTests
{
    [Fact]
    public async Task Answers_are_those_of_a_node_and_say_which()
    {
        await using RouterFixture router = await RouterFixture.StartWith(2);
        ServerFixture[] nodes = router.Servers;
        (JsonElement routed, string node) = await router.Ask("/v1/completions", RouterFixture.Prompt(1), ("X-Kvasir-Explain", "1"));
        JsonElement direct = await nodes[0].Ask("/v1/completions", RouterFixture.Prompt(1));
        Assert.Equal(direct.GetProperty("choices")[0].GetProperty("text").GetString(),
            routed.GetProperty("choices")[0].GetProperty("text").GetString());
        Assert.True(routed.TryGetProperty("kvasir", out JsonElement _));
        Assert.Contains(node, nodes.Select(one => router.Node(one).Name));
        using HttpResponseMessage wrong = await router.Post("/v1/chat/completions", new JsonObject { ["messages"] = "Hi" });
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        Assert.Contains("messages", await wrong.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
        using HttpResponseMessage nothing = await router.Client.GetAsync("/no/such/path", ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.NotFound, nothing.StatusCode);
        Assert.Contains("unknown_path", await nothing.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
        Assert.Equal("ok", (await router.Client.GetStringAsync("/health", ServerFixture.Patience)).Split('"')[3]);
        Assert.Contains("saga", await router.Client.GetStringAsync("/v1/models", ServerFixture.Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Streams_come_piece_by_piece_and_end_with_their_clients()
    {
        await using RouterFixture router = await RouterFixture.StartWith(1);
        ServerFixture[] nodes = router.Servers;
        JsonObject body = RouterFixture.Prompt(1, words: 5, maxTokens: 900);
        body["stream"] = true;
        using (HttpResponseMessage response = await router.Post("/v1/completions", body))
        {
            using StreamReader reader = new(await response.Content.ReadAsStreamAsync(ServerFixture.Patience));
            for (int line = 0; line < 4; line++)
                Assert.NotNull(await reader.ReadLineAsync(ServerFixture.Patience));
            Assert.Equal(1, nodes[0].Engine.Serving.Running); // far from its end
        }
        await nodes[0].AssertIdle();
    }

    [Fact]
    public async Task The_next_turn_goes_where_the_last_one_was_and_finds_it()
    {
        await using RouterFixture router = await RouterFixture.StartWith(3);
        ServerFixture[] nodes = router.Servers;
        for (int story = 0; story < 6; story++)
        {
            (_, string first) = await router.Ask("/v1/completions", RouterFixture.Prompt(story));
            JsonObject next = RouterFixture.Prompt(story, words: 60);
            (JsonElement answer, string second) = await router.Ask("/v1/completions", next, ("X-Kvasir-Explain", "1"));
            Assert.Equal(first, second);
            Assert.True(answer.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32() > 200);
        }
    }

    [Fact]
    public async Task Keys_and_salts_pass_and_what_needs_a_key_the_router_shows_with_one_only()
    {
        const string Owner = "key-of-the-owner", Reader = "key-of-the-router";
        ServerOptions options = new() { ApiKeys = [new ApiKey(Owner), new ApiKey(Reader, Scopes.Metrics)] };
        await using RouterFixture router = await RouterFixture.StartWith(2, options: options, nodeKey: Reader);
        ServerFixture[] nodes = router.Servers;
        (string, string) key = ("Authorization", $"Bearer {Owner}");
        Assert.Equal(2, router.Router.AliveNodes);
        using (HttpResponseMessage none = await router.Post("/v1/completions", RouterFixture.Prompt(1)))
            Assert.Equal(HttpStatusCode.Unauthorized, none.StatusCode);
        await router.Ask("/v1/completions", RouterFixture.Prompt(1), key);
        await ServerFixture.Until(() => nodes.Any(node => router.Router.Nodes.Prefixes.Count(router.Node(node).Number) > 0), "hints");
        foreach (string path in (string[])["/v1/fleet", "/metrics"])
        {
            using HttpResponseMessage refused = await router.Client.GetAsync(path, ServerFixture.Patience);
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            using HttpRequestMessage request = new(HttpMethod.Get, path);
            request.Headers.Add("Authorization", $"Bearer {Owner}");
            using HttpResponseMessage shown = await router.Client.SendAsync(request, ServerFixture.Patience);
            string text = await shown.Content.ReadAsStringAsync(ServerFixture.Patience);
            Assert.True(shown.IsSuccessStatusCode, text);
            Assert.Contains(router.Node(nodes[0]).Name, text, StringComparison.Ordinal);
            Assert.DoesNotContain("key-of", text, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task Without_a_key_that_the_nodes_want_the_router_says_so()
    {
        await using ServerFixture node =
            await ServerFixture.Start(options: new ServerOptions { ApiKeys = [new ApiKey("key-of-the-owner")] });
        await using RouterFixture router = await RouterFixture.Start([node.Server.Address]);
        Assert.Contains("--node-key-file", Assert.Single(router.Lines), StringComparison.Ordinal);
        using HttpResponseMessage response = await router.Post("/v1/messages", RouterFixture.Prompt(1));
        Assert.Equal((HttpStatusCode.ServiceUnavailable, "1"), (response.StatusCode, response.Headers.GetValues("Retry-After").Single()));
        Assert.Contains("overloaded_error", await response.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_request_may_name_its_node()
    {
        await using RouterFixture router = await RouterFixture.StartWith(2);
        ServerFixture[] nodes = router.Servers;
        foreach (ServerFixture node in nodes)
        {
            string name = router.Node(node).Name;
            (_, string by) = await router.Ask("/tokenize", new JsonObject { ["prompt"] = "Hi" }, ("X-Kvasir-Node", name));
            Assert.Equal(name, by);
        }
        using HttpResponseMessage unknown = await router.Post("/tokenize", new JsonObject { ["prompt"] = "Hi" }, ("X-Kvasir-Node", "Odin"));
        Assert.Equal(HttpStatusCode.BadRequest, unknown.StatusCode);
    }

    [Fact]
    public async Task What_goes_on_from_an_answer_goes_to_who_made_it_through_any_router()
    {
        await using RouterFixture one = await RouterFixture.StartWith(3, RoutingPolicyKind.RoundRobin);
        ServerFixture[] nodes = one.Servers;
        await using RouterFixture other =
            await RouterFixture.Start(nodes.Select(node => node.Server.Address), RoutingPolicyKind.RoundRobin);
        (JsonElement answer, string first) = await one.Ask("/v1/responses", new JsonObject { ["input"] = "Hi", ["max_output_tokens"] = 4 });
        string id = answer.GetProperty("id").GetString()!;
        foreach (RouterFixture router in (RouterFixture[])[one, one, other, other])
        {
            (_, string node) = await router.Ask("/v1/responses", new JsonObject
            {
                ["input"] = "And?", ["max_output_tokens"] = 4, ["previous_response_id"] = id,
            });
            Assert.Equal(first, node);
            Assert.Equal(id, (await At(router, HttpMethod.Get, first)).GetProperty("id").GetString());
            Assert.Single((await At(router, HttpMethod.Get, first, "/input_items")).GetProperty("data").EnumerateArray());
        }
        Assert.True((await At(other, HttpMethod.Delete, first)).GetProperty("deleted").GetBoolean());
        Assert.Equal("response_not_found", (await At(one, HttpMethod.Get, first)).GetProperty("error").GetProperty("code").GetString());

        async Task<JsonElement> At(RouterFixture router, HttpMethod method, string node, string more = "")
        {
            using HttpRequestMessage request = new(method, $"/v1/responses/{id}{more}");
            using HttpResponseMessage response = await router.Client.SendAsync(request, ServerFixture.Patience);
            Assert.Equal(node, response.Headers.GetValues("X-Kvasir-Node").Single());
            return JsonElement.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience));
        }
    }

    [Fact]
    public async Task The_answers_of_a_node_that_is_gone_are_not_known_anywhere()
    {
        await using RouterFixture router = await RouterFixture.StartWith(1);
        using HttpResponseMessage response = await router.Client.GetAsync(
            $"/v1/responses/resp_{new string('0', 32)}", ServerFixture.Patience);
        Assert.Equal((HttpStatusCode.NotFound, true), (response.StatusCode,
            (await response.Content.ReadAsStringAsync(ServerFixture.Patience)).Contains("response_not_found", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_trace_goes_through_the_router_to_the_node()
    {
        ActivityTraceId trace = ActivityTraceId.CreateRandom();
        ConcurrentBag<Activity> spans = [];
        using ActivityListener listener = new()
        {
            ShouldListenTo = source => source.Name is "Kvasir.Router" or "Kvasir.Server" or "Microsoft.AspNetCore" or "System.Net.Http",
            Sample = (ref ActivityCreationOptions<ActivityContext> options) =>
                options.TraceId == trace ? ActivitySamplingResult.AllDataAndRecorded : ActivitySamplingResult.None,
            ActivityStopped = spans.Add,
        };
        ActivitySource.AddActivityListener(listener);
        await using RouterFixture router = await RouterFixture.StartWith(1);
        (_, string node) = await router.Ask("/v1/completions", RouterFixture.Prompt(1),
            ("traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01"));
        await ServerFixture.Until(() => spans.Any(IsNodes), "the node's span");
        Activity chat = spans.First(IsNodes);
        List<Activity> ancestors = [];
        for (Activity? span = chat; span is not null; span = spans.FirstOrDefault(other => other.SpanId == span.ParentSpanId))
            ancestors.Add(span);
        Activity route = Assert.Single(ancestors, span => span.OperationName == "route");
        Assert.Equal(node, route.GetTagItem("kvasir.node"));
        Assert.All(ancestors, span => Assert.Equal(trace, span.TraceId));

        static bool IsNodes(Activity span) => span.OperationName.StartsWith("chat ", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Bodies_of_any_kind_pass_or_are_refused_by_a_node()
    {
        await using RouterFixture router = await RouterFixture.StartWith(1);
        ServerFixture[] nodes = router.Servers;
        foreach (string body in (string[])["", "{", "[1]", "{\"messages\":" + new string('[', 5000), "{\"prompt\":\"\\ud800\"}"])
        {
            using HttpResponseMessage response = await router.Client.PostAsync("/v1/chat/completions",
                new StringContent(body, System.Text.Encoding.UTF8, "application/json"), ServerFixture.Patience);
            Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        }
        using HttpResponseMessage huge = await router.Client.PostAsync("/v1/completions",
            new StringContent($"{{\"prompt\":\"{new string('x', 20 << 20)}\"}}"), ServerFixture.Patience);
        Assert.Contains(huge.StatusCode, (HttpStatusCode[])[HttpStatusCode.BadRequest, HttpStatusCode.RequestEntityTooLarge]);
        (JsonElement fine, string _) = await router.Ask("/v1/completions", RouterFixture.Prompt(1));
        Assert.True(fine.TryGetProperty("choices", out JsonElement _));
    }
}
