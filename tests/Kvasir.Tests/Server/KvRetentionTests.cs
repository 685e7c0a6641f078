using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Retention;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>Answers through views: who may ask for them, that they say so, and that nobody gets one unasked.</summary>
public sealed class KvRetentionTests
{
    const string Policy = "replay:25%,min=64", Aware = "snapkv:25%,min=64", Explain = "X-Kvasir-Explain";

    static readonly string s_canonical = RetentionPolicy.Parse(Policy)!.ToString();
    static readonly SagaDocument s_saga = new SagaGenerator(5).Document(facts: 40);

    static ServerOptions Allowing(params string[] policies) =>
        new() { AllowedRetention = [.. policies.Select(RetentionPolicy.Parse).OfType<RetentionPolicy>()] };

    static JsonObject Said(string role, string content) => new() { ["role"] = role, ["content"] = content };

    static string Question(int fact) => s_saga.Facts[fact].Questions[0].Text;

    /// <summary>A question about the saga, as each protocol asks it.</summary>
    static (string Path, JsonObject Body) Asked(string protocol, int fact = 0) => protocol switch
    {
        "chat" => ("/v1/chat/completions", new JsonObject
        {
            ["messages"] = new JsonArray(Said("system", s_saga.Text), Said("user", Question(fact))),
            ["max_tokens"] = 20,
        }),
        "completions" => ("/v1/completions", new JsonObject { ["prompt"] = s_saga.Text + " " + Question(fact), ["max_tokens"] = 8 }),
        "responses" => ("/v1/responses", new JsonObject
        {
            ["instructions"] = s_saga.Text,
            ["input"] = Question(fact),
            ["max_output_tokens"] = 20,
        }),
        _ => ("/v1/messages", new JsonObject
        {
            ["system"] = s_saga.Text,
            ["messages"] = new JsonArray(Said("user", Question(fact))),
            ["max_tokens"] = 20,
        }),
    };

    static (string Path, JsonObject Body) Asked(string protocol, int fact, string? policy, bool streams = false, string? salt = null)
    {
        (string path, JsonObject body) = Asked(protocol, fact);
        (body["temperature"], body["kv_retention"], body["stream"]) = (0, policy, streams);
        if (streams && protocol is "chat" or "completions")
            body["stream_options"] = new JsonObject { ["include_usage"] = true };
        if (salt is not null)
            body["cache_salt"] = salt;
        return (path, body);
    }

    static Task<JsonElement> Ask(ServerFixture server, int fact, string? policy = Policy, string? salt = null)
    {
        (string path, JsonObject body) = Asked("chat", fact, policy, salt: salt);
        return server.Ask(path, body, null, (Explain, "1"));
    }

    static JsonElement Details(JsonElement answer) => answer.GetProperty("usage").GetProperty("prompt_tokens_details");

    static JsonElement Retention(JsonElement answer) => answer.GetProperty("kvasir").GetProperty("retention");

    [Fact]
    public async Task A_view_is_made_once_and_then_found_and_answers_say_so()
    {
        List<string> lines = [];
        await using ServerFixture server = await ServerFixture.Start(options: Allowing(Policy) with { Log = lines.Add });
        JsonElement[] answers = [await Ask(server, 3), await Ask(server, 17), await Ask(server, 31, s_canonical)];
        Assert.Equal([false, true, true], answers.Select(answer => Retention(answer).GetProperty("found").GetBoolean()));
        Assert.Equal([0, 0], answers[1..].Select(answer => Retention(answer).GetProperty("profile_s").GetDouble()));
        foreach (JsonElement answer in answers)
        {
            JsonElement usage = Details(answer).GetProperty("kv_retention"), retention = Retention(answer);
            Assert.Equal((s_canonical, s_canonical), (usage.GetProperty("policy").GetString(), retention.GetProperty("policy").GetString()));
            int positions = retention.GetProperty("positions").GetInt32();
            int[][] kept = retention.GetProperty("kept").Deserialize<int[][]>()!;
            Assert.Equal((6, 2), (kept.Length, kept[0].Length));
            Assert.Equal(kept.SelectMany(heads => heads).Average(), usage.GetProperty("kept_tokens").GetDouble(), 1);
            Assert.Equal(usage.GetProperty("kept_tokens").GetDouble() / positions, usage.GetProperty("ratio").GetDouble(), 3);
            Assert.Equal(usage.GetProperty("ratio").GetDouble(), retention.GetProperty("kept_share").GetDouble());
            Assert.InRange(retention.GetProperty("bytes").GetInt64(), 1, retention.GetProperty("exact_bytes").GetInt64() / 4 + 24576);
            Assert.False(retention.TryGetProperty("why_exact", out _));
        }
        Assert.True(Details(answers[1]).GetProperty("cached_tokens").GetInt32() >= Retention(answers[1]).GetProperty("positions").GetInt32());
        await ServerFixture.Until(() => server.Engine.Serving is { Running: 0, Waiting: 0 } && lines.Count == 3, "nothing runs");
        Assert.Contains($", through {s_canonical})", lines[0], StringComparison.Ordinal);
        await AssertCounted(server, Retention(answers[0]));
    }

    [Fact]
    public async Task Answers_say_how_much_they_read()
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing("quest:50%,min=0", "quest:eps=0.5,min=0"));
        JsonElement half = await Ask(server, 3, "quest:50%,min=0"), bounded = await Ask(server, 3, "quest:eps=0.5,min=0");
        JsonElement usage = Details(half).GetProperty("kv_retention"), pages = Retention(half).GetProperty("pages");
        Assert.Equal("quest:50%,sinks=4,recent=64,min=0 v1", usage.GetProperty("policy").GetString());
        Assert.InRange(usage.GetProperty("ratio").GetDouble(), 0.4, 0.6);
        Assert.Equal(usage.GetProperty("ratio").GetDouble(), pages.GetProperty("read_share").GetDouble());
        Assert.False(usage.TryGetProperty("kept_tokens", out _) || usage.TryGetProperty("bound", out _));
        Assert.False(Retention(half).TryGetProperty("why_exact", out _));
        Assert.InRange(Details(bounded).GetProperty("kv_retention").GetProperty("bound").GetDouble(), 0, 0.5);
        Assert.False(Details(await Ask(server, 3, "none")).TryGetProperty("kv_retention", out _));
        string metrics = await server.Client.GetStringAsync("/metrics", ServerFixture.Patience);
        Assert.Contains("kvasir_kv_pages_read", metrics, StringComparison.Ordinal);
    }

    /// <summary>What the cache tells of its one view.</summary>
    static async Task AssertCounted(ServerFixture server, JsonElement expected)
    {
        JsonElement view = Assert.Single((await server.Get("/v1/kv/views")).GetProperty("views").EnumerateArray());
        Assert.Equal(s_canonical, view.GetProperty("policy").GetString());
        foreach (string name in (string[])["positions", "kept", "bytes", "exact_bytes", "mass", "least_mass", "step_bytes_saved"])
            Assert.Equal(expected.GetProperty(name).ToString(), view.GetProperty(name).ToString());
        JsonElement counts = (await server.Get("/v1/kv/stats")).GetProperty("views");
        long bytes = view.GetProperty("bytes").GetInt64(), exact = view.GetProperty("exact_bytes").GetInt64();
        Assert.Equal((1, bytes, exact, bytes), (counts.GetProperty("count").GetInt32(), counts.GetProperty("bytes").GetInt64(),
            counts.GetProperty("exact_bytes").GetInt64(), counts.GetProperty("reclaimable_bytes").GetInt64()));
        string metrics = await server.Client.GetStringAsync("/metrics", ServerFixture.Patience);
        Assert.Contains($"\nkvasir_kv_views 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains($"\nkvasir_kv_retained_bytes {bytes}\n", metrics, StringComparison.Ordinal);
        Assert.Matches(@"\nkvasir_kv_retained_ratio 0\.2\d+\n", metrics);
        Assert.Contains($"\nkvasir_kv_retained_mass{{over=\"least\"}} {counts.GetProperty("least_mass")}\n", metrics,
            StringComparison.Ordinal);
        Assert.Contains($"\nkvasir_kv_step_saved_bytes {view.GetProperty("step_bytes_saved")}\n", metrics, StringComparison.Ordinal);
        Assert.InRange(view.GetProperty("mass").GetDouble(), view.GetProperty("least_mass").GetDouble(), 1);
        Assert.Equal(KnownLimits.ReadBytesPerS is null, view.GetProperty("step_saved_s").ValueKind == JsonValueKind.Null);
        Assert.Matches(@"\nkvasir_kv_profile_seconds_count\{[^}]+\} 1\n", metrics);
    }

    [Fact]
    public async Task All_protocols_have_the_field_and_tell_its_policy_beside_what_was_cached()
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing(Policy));
        foreach (string protocol in (string[])["chat", "responses", "messages", "completions"])
            foreach (bool streams in (bool[])[false, true])
            {
                (string path, JsonObject body) = Asked(protocol, 7, Policy, streams);
                using HttpResponseMessage response = await server.Post(path, body, null, (Explain, "1"));
                string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
                Assert.True(response.IsSuccessStatusCode, text);
                string usage = Regex.Match(text, @"""kv_retention"":\{""policy"":""([^""]+)"",""kept_tokens"":[\d.]+,""ratio"":0\.\d+\}").Groups[1].Value;
                Assert.True(usage == s_canonical, $"{protocol}: {text}");
                string found = Regex.Match(text, @"""retention"":\{""policy"":""[^""]+"",""found"":(true|false)").Groups[1].Value;
                Assert.Equal(protocol is "chat" or "completions" && !streams ? "false" : "true", found); // all conversations are one
            }
        Assert.Equal(2, (await server.Get("/v1/kv/views?limit=9")).GetProperty("views").GetArrayLength());
    }

    [Fact]
    public async Task Who_does_not_ask_for_less_gets_the_same_bytes_as_from_a_server_that_knows_no_policies()
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing(Policy)), plain = await ServerFixture.Start();
        await Ask(server, 3); // the view is there
        foreach (string protocol in (string[])["chat", "completions", "responses", "messages"])
            foreach (bool isNull in (bool[])[false, true])
            {
                (string path, JsonObject body) = Asked(protocol, 3, policy: null, salt: $"{protocol}-{isNull}");
                if (!isNull)
                    body.Remove("kv_retention");
                Assert.Equal(await Bytes(plain, path, body), await Bytes(server, path, body));
            }
        JsonElement exact = await Ask(server, 3, policy: "none");
        Assert.False(Details(exact).TryGetProperty("kv_retention", out _));
        Assert.False(exact.GetProperty("kvasir").TryGetProperty("retention", out _));

        static async Task<string> Bytes(ServerFixture server, string path, JsonObject body)
        {
            using HttpResponseMessage response = await server.Post(path, body);
            string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
            Assert.True(response.IsSuccessStatusCode, text);
            Assert.DoesNotContain("retention", text, StringComparison.Ordinal);
            return Regex.Replace(text, @"\b(resp|msg|chatcmpl|cmpl)[_-][0-9a-f]{16,32}\b|""created(_at)?"":\d+", "*");
        }
    }

    [Fact]
    public async Task What_is_not_allowed_or_no_policy_is_a_400_that_names_the_option()
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing(Policy));
        foreach ((string policy, string message) in ((string, string)[])
            [
                ("replay:30%", $"'replay:30%', expected null or 'none' or '{s_canonical.Split(' ')[0]}'; "),
                ("replay:25%", "'replay:25%', expected null or 'none' or "), // its min= is another
                ("nonsense", "retention 'nonsense': expected none, BUDGET, "),
                ("replay:0%", "retention 'replay:0%': a budget of '0%', "),
                ("", "retention '': expected none, "),
                ("a\u0007", "retention 'a?': expected none, "),
            ])
            foreach (string protocol in (string[])["chat", "completions", "responses", "messages"])
            {
                (string path, JsonObject body) = Asked(protocol, 0, policy);
                using HttpResponseMessage response = await server.Post(path, body);
                JsonElement error =
                    JsonDocument.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement.GetProperty("error");
                Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
                Assert.StartsWith($"kv_retention: {message}", error.GetProperty("message").GetString(), StringComparison.Ordinal);
                Assert.EndsWith("--kv-retain-allow says which policies requests may name", error.GetProperty("message").GetString(),
                    StringComparison.Ordinal);
            }
    }

    [Fact]
    public async Task A_policy_that_a_models_rows_do_not_allow_is_a_400()
    {
        using TemporaryFolder folder = new();
        string model = new TinyModel { HeadDim = 16 }.WriteTo(folder["tiny.gguf"]);
        await using ServerFixture server = await ServerFixture.Start(new EngineOptions { Context = 512 },
            new ServerOptions { AllowedRetention = null }, model: model);
        JsonObject body = new() { ["prompt"] = "a b c", ["max_tokens"] = 4, ["kv_retention"] = "replay:50%,min=0,type=q4_0" };
        using HttpResponseMessage response = await server.Post("/v1/completions", body);
        string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Contains("kv_retention: 'replay:50%,", text, StringComparison.Ordinal);
        Assert.Contains("32", text, StringComparison.Ordinal);
        body["kv_retention"] = "none";
        await server.Ask("/v1/completions", body);
    }

    [Fact]
    public async Task A_servers_own_policy_holds_for_who_says_nothing_and_any_may_be_named_where_all_are_allowed()
    {
        List<string> lines = [];
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions
        {
            Retention = RetentionPolicy.Parse(Policy), AllowedRetention = null, Log = lines.Add, LogsJson = true,
        });
        (string path, JsonObject body) = Asked("chat", 0, policy: null);
        Assert.False(Details(await server.Ask(path, body)).TryGetProperty("kv_retention", out _)); // null is exact
        body.Remove("kv_retention");
        Assert.Equal(s_canonical, PolicyOf(await server.Ask(path, body)));
        Assert.StartsWith("window:64+4,", PolicyOf(await Ask(server, 0, "window:64+4,min=64")), StringComparison.Ordinal);
        Assert.Equal(2, (await server.Get("/v1/kv/views")).GetProperty("views").GetArrayLength());
        await ServerFixture.Until(() => lines.Count == 3, "all have their lines");
        Assert.DoesNotContain("retention", lines[0], StringComparison.Ordinal);
        Assert.Equal(s_canonical, JsonDocument.Parse(lines[1]).RootElement.GetProperty("kv_retention").GetString());

        static string PolicyOf(JsonElement answer) => Details(answer).GetProperty("kv_retention").GetProperty("policy").GetString()!;
    }

    [Theory]
    [InlineData(Policy)]
    [InlineData(null)]
    public async Task Progress_names_the_policy_beside_what_was_found(string? policy)
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing(Policy));
        (string path, JsonObject body) = Asked("chat", 7, policy, streams: true);
        body["return_progress"] = true;
        using HttpResponseMessage response = await server.Post(path, body);
        string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        string[] progress = [.. Regex.Matches(text, @"""prompt_progress"":\{[^}]*\}").Select(match => match.Value)];
        Assert.NotEmpty(progress);
        Assert.All(progress, each => Assert.Equal(policy is null ? "" : s_canonical,
            Regex.Match(each, @"""kv_retention"":""([^""]+)""").Groups[1].Value));
    }

    [Fact]
    public async Task Several_answers_and_prompts_are_counted_together()
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing(Policy));
        string other = new SagaGenerator(6).Document(facts: 30).Text;
        JsonElement one = await Ask(new JsonArray(s_saga.Text), 2), both = await Ask(new JsonArray(s_saga.Text, other), 2);
        double Kept(JsonElement answer) => Details(answer).GetProperty("kv_retention").GetProperty("kept_tokens").GetDouble();
        JsonElement[] views = [.. (await server.Get("/v1/kv/views")).GetProperty("views").EnumerateArray()];
        double[] means = [.. views.Select(view => view.GetProperty("kept").Deserialize<int[][]>()!.SelectMany(heads => heads).Average())];
        Assert.Equal(2, means.Length);
        Assert.Contains(means, mean => Math.Abs(mean - Kept(one)) < 0.1);
        Assert.Equal(means.Sum(), Kept(both), 1);
        Assert.Equal(s_canonical, both.GetProperty("timings").GetProperty("kv_retention").GetString());

        Task<JsonElement> Ask(JsonArray prompts, int answers) => server.Ask("/v1/completions", new JsonObject
        {
            ["prompt"] = prompts, ["n"] = answers, ["max_tokens"] = 2, ["kv_retention"] = Policy, ["timings_per_token"] = true,
        });
    }

    [Fact]
    public async Task Questions_that_come_together_share_one_view()
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing(Policy));
        JsonElement[] answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Ask(server, i * 6)));
        Assert.Single(answers, answer => !Retention(answer).GetProperty("found").GetBoolean());
        Assert.All(answers, answer => Assert.Equal(s_canonical, Details(answer).GetProperty("kv_retention").GetProperty("policy").GetString()));
        Assert.Equal(1, (await server.Get("/v1/kv/stats")).GetProperty("views").GetProperty("count").GetInt32());
    }

    [Fact]
    public async Task Two_salts_never_share_a_view_and_nobody_is_told_of_them()
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing(Policy));
        foreach (string salt in (string[])["one", "two"])
            foreach (bool found in (bool[])[false, true])
                Assert.Equal(found, Retention(await Ask(server, found ? 1 : 2, salt: salt)).GetProperty("found").GetBoolean());
        Assert.False(Retention(await Ask(server, 1)).GetProperty("found").GetBoolean());
        JsonElement views = (await server.Get("/v1/kv/views")).GetProperty("views");
        Assert.Equal(3, views.EnumerateArray().Select(view => view.GetProperty("id").GetString()).Distinct().Count());
        Assert.All(server.Engine.Cache.Views.All, view =>
        {
            Assert.DoesNotContain($"{view.Name.Prefix}"[..12], views.ToString(), StringComparison.Ordinal);
            Assert.DoesNotContain($"{view.Name.Key()}"[..12], views.ToString(), StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task Short_prompts_stay_whole_and_say_why()
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing("replay:25%"));
        JsonElement answer = await Ask(server, 0, "replay:25%"); // whose minimum is 512
        Assert.False(Details(answer).TryGetProperty("kv_retention", out _));
        Assert.Matches(@"^\d+ tokens are less than min=512$", Retention(answer).GetProperty("why_exact").GetString());
        Assert.False(Retention(answer).TryGetProperty("kept", out _));
        Assert.Equal(0, (await server.Get("/v1/kv/views")).GetProperty("views").GetArrayLength());
    }

    [Fact]
    public async Task A_policy_sees_what_comes_before_the_last_question_and_an_aware_one_all()
    {
        await using ServerFixture server = await ServerFixture.Start(options: Allowing(Policy, Aware));
        JsonObject system = Said("system", s_saga.Text), first = Said("user", Question(0)), second = Said("user", Question(1)),
            told = Said("assistant", s_saga.Facts[0].Questions[0].Answer);
        int document = Retention(await Ask(server, 0)).GetProperty("positions").GetInt32();
        Assert.Equal(document, await Positions(Policy, system, second, told, Said("tool", "3"))); // which belong to their question
        Assert.InRange(await Positions(Policy, Said("user", s_saga.Text)), document - 16, document + 16); // it has nothing before it
        Assert.True(await Positions(Aware, system, first) >= document);
        JsonElement evicted = await server.Ask("/v1/kv/evict", new JsonObject { ["all"] = true });
        Assert.Equal(server.Engine.Cache.Views.All.Count + 2, evicted.GetProperty("evicted_views").GetInt32());
        Assert.True(await Positions(Policy, system, first, told, second) > document);

        async Task<int> Positions(string policy, params JsonObject[] messages)
        {
            JsonObject body = new()
            {
                ["messages"] = new JsonArray([.. messages.Select(message => message.DeepClone())]),
                ["max_tokens"] = 4,
                ["kv_retention"] = policy,
            };
            return Retention(await server.Ask("/v1/chat/completions", body, null, (Explain, "1"))).GetProperty("positions").GetInt32();
        }
    }
}
