using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary><c>/v1/kv</c>: what it says is so, and what it is asked to do, it does.</summary>
public sealed class KvApiTests
{
    static JsonObject Prompt(int kind = 0) => new() { ["prompt"] = ServerFixture.LongText(30, kind) };

    static int Tokens(JsonElement reused) => reused.EnumerateObject().Sum(tier => tier.Value.GetInt32());

    [Fact]
    public async Task A_prompt_that_was_warmed_is_found_by_lookup_and_by_a_completion()
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true);
        JsonElement before = (await server.Ask("/v1/kv/lookup", Prompt())).GetProperty("kvasir");
        Assert.Equal(0, Tokens(before.GetProperty("reused")));
        JsonElement warm = await server.Ask("/v1/kv/warm", Prompt());
        int tokens = warm.GetProperty("prompt_tokens").GetInt32();
        Assert.Equal(tokens, warm.GetProperty("kvasir").GetProperty("computed").GetInt32());
        JsonElement after = (await server.Ask("/v1/kv/lookup", Prompt())).GetProperty("kvasir");
        Assert.Equal(tokens - 1, after.GetProperty("reused").GetProperty("device").GetInt32());
        JsonElement spans = after.GetProperty("spans");
        Assert.Equal((0, tokens),
            (spans[0].GetProperty("from").GetInt32(), spans[spans.GetArrayLength() - 1].GetProperty("to").GetInt32()));
        JsonObject completion = Prompt();
        completion["max_tokens"] = 1;
        JsonElement answer = await server.Ask("/v1/completions", completion);
        Assert.Equal(tokens - 1, answer.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
    }

    [Fact]
    public async Task A_prompt_is_warmed_to_a_tier_or_that_fails_by_name()
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true);
        JsonObject prompt = Prompt();
        prompt["to"] = "disk";
        JsonElement warm = await server.Ask("/v1/kv/warm", prompt);
        Assert.Equal(warm.GetProperty("prompt_tokens").GetInt32(), warm.GetProperty("kept_tokens").GetProperty("disk").GetInt32());
        prompt["to"] = "remote";
        using HttpResponseMessage none = await server.Post("/v1/kv/warm", prompt);
        Assert.Equal(HttpStatusCode.Conflict, none.StatusCode);
        Assert.Contains("no remote tier", await none.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        prompt["to"] = "host";
        using HttpResponseMessage unknown = await server.Post("/v1/kv/warm", prompt);
        Assert.Equal(HttpStatusCode.BadRequest, unknown.StatusCode);
    }

    [Fact]
    public async Task Stats_add_up_with_what_the_answers_said()
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true);
        List<JsonElement> usages = [];
        for (int i = 0; i < 4; i++)
            usages.Add(
                (await server.Ask("/v1/chat/completions", ServerFixture.Chat(ServerFixture.LongText(10, i / 2)))).GetProperty("usage"));
        await server.AssertIdle();
        JsonElement stats = await server.Get("/v1/kv/stats");
        long Sum(Func<JsonElement, int> of) => usages.Sum(usage => (long)of(usage));
        JsonElement tokens = stats.GetProperty("tokens");
        Assert.Equal(Sum(usage => usage.GetProperty("prompt_tokens").GetInt32()), tokens.GetProperty("prompt").GetInt64());
        Assert.Equal(Sum(usage => usage.GetProperty("completion_tokens").GetInt32()), tokens.GetProperty("completion").GetInt64());
        long reused = Sum(usage => usage.GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32());
        Assert.True(reused > 0);
        Assert.Equal(reused, tokens.GetProperty("reused").GetInt64());
        Assert.Equal(reused, stats.GetProperty("tiers").EnumerateArray().Sum(tier => tier.GetProperty("hit_tokens").GetInt64()));
        Assert.Equal(4, stats.GetProperty("requests").GetProperty("finished").GetInt64());
        Assert.Equal(0, stats.GetProperty("tiers")[0].GetProperty("leased_blocks").GetInt64());
        JsonElement requests = (await server.Get("/v1/kv/requests")).GetProperty("requests");
        Assert.Equal(4, requests.GetArrayLength());
        Assert.Equal(usages[3].GetProperty("prompt_tokens").GetInt32(), requests[0].GetProperty("prompt_tokens").GetInt32());
    }

    [Fact]
    public async Task The_tree_has_every_block_once_and_text_only_where_it_is_allowed()
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true);
        await server.Ask("/v1/kv/warm", new JsonObject { ["prompt"] = ServerFixture.LongText(30) + " One." });
        await server.Ask("/v1/kv/warm", new JsonObject
        {
            ["prompt"] = ServerFixture.LongText(30) + " Two, and more of it than before, so that it takes another block.",
        });
        await server.AssertIdle();
        JsonElement[] nodes = [.. (await server.Get("/v1/kv/tree?text=1")).GetProperty("nodes").EnumerateArray()];
        Assert.Equal(3, nodes.Length); // what they share, and an end each
        Assert.Equal(JsonValueKind.Null, nodes[0].GetProperty("parent").ValueKind);
        Assert.All(nodes[1..], node => Assert.Equal(nodes[0].GetProperty("id").GetString(), node.GetProperty("parent").GetString()));
        Assert.All(nodes, node => Assert.Equal(JsonValueKind.Null, node.GetProperty("text").ValueKind));
        Assert.Equal(server.Engine.Cache.Device.Counts.Cached,
            nodes.Sum(node => node.GetProperty("tiers").GetProperty("device").GetInt32()));
        Assert.Equal(server.Engine.Cache.Disk!.Blocks, nodes.Sum(node => node.GetProperty("tiers").GetProperty("disk").GetInt32()));
    }

    [Fact]
    public async Task Pinned_prefixes_stay_when_all_is_evicted_and_go_when_they_are_let_go()
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true);
        await server.Ask("/v1/kv/warm", Prompt());
        await server.Ask("/v1/kv/warm", Prompt(kind: 1));
        JsonObject pin = Prompt();
        (pin["ttl"], pin["owner"]) = ("10m", "test");
        int pinned = (await server.Ask("/v1/kv/pin", pin)).GetProperty("pinned_blocks").GetInt32();
        int blocks = server.Engine.Cache.Keys(server.Engine.Model.Tokenizer.EncodePrompt(ServerFixture.LongText(30))).Count;
        Assert.Equal(blocks, pinned);
        await server.AssertIdle();
        JsonElement evicted = await server.Ask("/v1/kv/evict", new JsonObject { ["all"] = true });
        Assert.True(evicted.GetProperty("evicted_blocks").GetInt32() > pinned); // those of the other prompt, and all in memory
        Assert.Equal(pinned, evicted.GetProperty("kept_blocks").GetInt32());
        JsonElement kept = await server.Ask("/v1/kv/lookup", Prompt());
        Assert.Equal(kept.GetProperty("prompt_tokens").GetInt32() - 1,
            kept.GetProperty("kvasir").GetProperty("reused").GetProperty("disk").GetInt32());
        // the first words are the same
        Assert.InRange(Tokens((await server.Ask("/v1/kv/lookup", Prompt(kind: 1))).GetProperty("kvasir").GetProperty("reused")), 0, 15);
        Assert.Equal(pinned,
            (await server.Ask("/v1/kv/unpin", new JsonObject { ["owner"] = "test" })).GetProperty("unpinned_blocks").GetInt32());
        Assert.Equal(0, (await server.Ask("/v1/kv/evict", new JsonObject { ["all"] = true })).GetProperty("kept_blocks").GetInt32());
        Assert.Equal(0, Tokens((await server.Ask("/v1/kv/lookup", Prompt())).GetProperty("kvasir").GetProperty("reused")));
    }

    [Fact]
    public async Task A_wish_to_keep_keeps_the_prompt()
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true);
        JsonObject chat = ServerFixture.Chat(ServerFixture.LongText(20));
        chat["prompt_cache_options"] = new JsonObject { ["ttl"] = "30m" };
        await server.Ask("/v1/chat/completions", chat);
        JsonElement Disk(JsonElement stats) =>
            stats.GetProperty("tiers").EnumerateArray().Single(tier => tier.GetProperty("tier").GetString() == "disk");
        await ServerFixture.Until(async () => Disk(await server.Get("/v1/kv/stats")).GetProperty("pinned_blocks").GetInt64() >= 5,
            "the prompt is kept");
        chat["prompt_cache_options"] = new JsonObject { ["ttl"] = "soon" };
        Assert.Equal(HttpStatusCode.BadRequest, (await server.Post("/v1/chat/completions", chat)).StatusCode);
    }

    [Fact]
    public async Task An_archive_carries_keys_and_values_to_another_server()
    {
        await using ServerFixture from = await ServerFixture.Start(hasDisk: true), to = await ServerFixture.Start();
        await from.Ask("/v1/kv/warm", Prompt());
        JsonElement expected = await from.Ask("/v1/completions", Completion());
        byte[] archive = await (await from.Post("/v1/kv/export", Prompt())).Content.ReadAsByteArrayAsync(ServerFixture.Patience);
        JsonElement imported = await Import(to, archive);
        int blocks = from.Engine.Cache.Keys(from.Engine.Model.Tokenizer.EncodePrompt(ServerFixture.LongText(30))).Count;
        Assert.Equal((blocks, 0), (imported.GetProperty("imported").GetInt32(), imported.GetProperty("known").GetInt32()));
        JsonElement answer = await to.Ask("/v1/completions", Completion(), null, ("X-Kvasir-Explain", "1"));
        Assert.Equal(expected.GetProperty("choices")[0].GetProperty("text").GetString(),
            answer.GetProperty("choices")[0].GetProperty("text").GetString());
        int prompt = answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
        Assert.Equal(prompt - 1, answer.GetProperty("kvasir").GetProperty("reused").GetProperty("host").GetInt32());
        Assert.Equal(0, (await Import(to, archive)).GetProperty("imported").GetInt32());

        static JsonObject Completion()
        {
            JsonObject body = Prompt();
            (body["temperature"], body["max_tokens"]) = (0, 12);
            return body;
        }

        static async Task<JsonElement> Import(ServerFixture server, byte[] archive)
        {
            using HttpResponseMessage response = await server.Client.PostAsync("/v1/kv/import",
                new ByteArrayContent(archive), ServerFixture.Patience);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            return JsonDocument.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement;
        }
    }

    [Fact]
    public async Task No_damaged_archive_brings_a_block_in()
    {
        await using ServerFixture from = await ServerFixture.Start(), to = await ServerFixture.Start();
        await from.Ask("/v1/kv/warm", Prompt());
        byte[] archive = await (await from.Post("/v1/kv/export", Prompt())).Content.ReadAsByteArrayAsync(ServerFixture.Patience);
        int[] prompt = from.Engine.Model.Tokenizer.EncodePrompt(ServerFixture.LongText(30));
        int slot = (archive.Length - 64 - 24) / from.Engine.Cache.Keys(prompt).Count;
        var random = new Random(5);
        for (int round = 0; round < 60; round++)
        {
            byte[] bad = [.. archive];
            int at = round < 20 ? random.Next(56) : 64 + random.Next(slot); // the head, or the first block
            bad[at] ^= (byte)(1 << random.Next(8));
            if (round % 3 == 2)
                bad = bad[..(random.Next(2) == 0 ? random.Next(64) : 65 + random.Next(slot - 1))];
            using HttpResponseMessage response = await to.Client.PostAsync("/v1/kv/import",
                new ByteArrayContent(bad), ServerFixture.Patience);
            Assert.True(response.StatusCode == HttpStatusCode.BadRequest,
                $"round {round}, byte {at} of {bad.Length}: {response.StatusCode}");
        }
        Assert.Equal(0, Tokens((await to.Ask("/v1/kv/lookup", Prompt())).GetProperty("kvasir").GetProperty("reused")));
    }

    [Fact]
    public async Task An_archive_cut_between_two_blocks_is_a_400_that_says_so_and_what_came_before_is_kept()
    {
        // no bound for archives
        await using ServerFixture from = await ServerFixture.Start(),
            to = await ServerFixture.Start(options: new ServerOptions { MaxBodyBytes = 10_000 });
        await from.Ask("/v1/kv/warm", Prompt());
        byte[] archive = await (await from.Post("/v1/kv/export", Prompt())).Content.ReadAsByteArrayAsync(ServerFixture.Patience);
        int slot =
            (archive.Length - 64 - 24) / from.Engine.Cache.Keys(from.Engine.Model.Tokenizer.EncodePrompt(ServerFixture.LongText(30))).Count;
        using HttpResponseMessage response = await to.Client.PostAsync("/v1/kv/import",
            new ByteArrayContent(archive[..(64 + 5 * slot)]), ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement
            .GetProperty("error");
        Assert.Equal("invalid_archive", error.GetProperty("code").GetString());
        Assert.Equal(
            "the archive was cut: after 5 whole blocks it stops, without its end; what came before is kept (5 blocks, 5 of them new)",
            error.GetProperty("message").GetString());
        Assert.Equal(5 * 16, Tokens((await to.Ask("/v1/kv/lookup", Prompt())).GetProperty("kvasir").GetProperty("reused")));
        using HttpResponseMessage whole = await to.Client.PostAsync("/v1/kv/import", new ByteArrayContent(archive), ServerFixture.Patience);
        JsonElement counts = JsonDocument.Parse(await whole.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement;
        int blocks = (archive.Length - 64 - 24) / slot;
        Assert.Equal(
            (blocks, blocks - 5, 5, 0),
            (counts.GetProperty("blocks").GetInt32(), counts.GetProperty("imported").GetInt32(), counts.GetProperty("known").GetInt32(),
                counts.GetProperty("no_room").GetInt32()));
    }

    [Fact]
    public async Task Events_tell_of_requests_and_numbers()
    {
        await using ServerFixture server = await ServerFixture.Start();
        using HttpResponseMessage response = await server.Client.GetAsync("/v1/kv/events",
            HttpCompletionOption.ResponseHeadersRead, ServerFixture.Patience);
        using StreamReader events = new(await response.Content.ReadAsStreamAsync(ServerFixture.Patience));
        Assert.Equal("event: stats", await events.ReadLineAsync(ServerFixture.Patience));
        JsonElement answer = await server.Ask("/v1/chat/completions", ServerFixture.Chat("Who are you?"));
        string? line;
        while ((line = await events.ReadLineAsync(ServerFixture.Patience)) != "event: request")
            Assert.NotNull(line);
        JsonElement request = JsonDocument.Parse((await events.ReadLineAsync(ServerFixture.Patience))![6..]).RootElement;
        Assert.Equal(answer.GetProperty("id").GetString(), request.GetProperty("id").GetString());
        Assert.Equal(answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(),
            request.GetProperty("kvasir").GetProperty("spans").EnumerateArray().Last().GetProperty("to").GetInt32());
    }

    [Theory]
    [InlineData("/v1/kv/pin", """{"id": "nothing"}""", 404)]
    [InlineData("/v1/kv/evict", """{}""", 400)]
    [InlineData("/v1/kv/lookup", """{"prompt": 3}""", 400)]
    [InlineData("/v1/kv/lookup", """{"prompt": [99999]}""", 400)]
    [InlineData("/v1/kv/warm", """{"prompt": ""}""", 400)]
    [InlineData("/v1/kv/pin", """{"prompt": "Once", "ttl": "-3m"}""", 400)]
    [InlineData("/v1/kv/evict", """{"all": true, "tier": "moon"}""", 400)]
    [InlineData("/v1/kv/evict", """{"al": true}""", 400, "al: no field of this request, expected model, id, all, tier")]
    [InlineData("/v1/kv/evict", """{"all": true, "id": "0"}""", 400, "id: '0', expected either it or 'all'")]
    [InlineData("/v1/kv/pin", """{"prompt": "Once", "tll": "3m"}""", 400, "tll: no field of this request, expected model, messages, ")]
    [InlineData("/v1/kv/pin", """{"prompt": "Once", "id": "0"}""", 400, "id: '0', expected either it or 'prompt'")]
    [InlineData("/v1/kv/unpin", """{"owner": "ada", "tokens": [1]}""", 400, "owner: 'ada', expected either it or 'tokens'")]
    [InlineData("/v1/kv/lookup", """{"prompt": "Once", "tokens": [1]}""", 400, "tokens: a list of 1, expected either it or 'prompt'")]
    [InlineData("/v1/kv/warm", """{"prompt": "Once", "tools": []}""", 400, "tools: a list of 0, expected it only with 'messages'")]
    [InlineData("/v1/kv/warm", """{"prompt": "Once", "model": "other"}""", 404, "model: 'other' is not served here")]
    [InlineData("/tokenize", """{"content": "Once", "prompt": "Once"}""", 400, "prompt: 'Once', expected either it or 'content'")]
    [InlineData("/tokenize", """{"messages": [{"role": "user", "content": "a"}], "add_special": true}""", 400, "add_special: true, expected false")]
    [InlineData("/tokenize", """{"messages": [{"role": "user", "content": "a"}], "parse_special": false}""", 400, "parse_special: false, ")]
    public async Task Nonsense_is_refused(string path, string body, int status, string message = "")
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true);
        using HttpResponseMessage response = await server.Post(path, JsonNode.Parse(body)!);
        string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        Assert.True(status == (int)response.StatusCode, $"{response.StatusCode}: {text}");
        string said = JsonDocument.Parse(text).RootElement.GetProperty("error").GetProperty("message").GetString()!;
        Assert.StartsWith(message, said, StringComparison.Ordinal);
        Assert.NotEmpty(said);
    }
}
