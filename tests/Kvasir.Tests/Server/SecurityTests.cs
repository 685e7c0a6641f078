using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Server;
using Kvasir.Server.Security;

namespace Kvasir.Tests.Server;

/// <summary>Who may come in, and what one may learn of another.</summary>
public sealed class SecurityTests
{
    const string Alice = "alice-0123456789", Bob = "bob-0123456789", Clerk = "clerk-0123456789";

    static ServerOptions WithKeys() =>
        new() { ApiKeys = [new ApiKey(Alice), new ApiKey(Bob, Scopes.Infer, "bob"), new ApiKey(Clerk, Scopes.Metrics, "clerk")] };

    static async Task<(HttpStatusCode Status, string Code)> Refusal(HttpResponseMessage response)
    {
        using (response)
        {
            JsonElement error = JsonDocument.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement
                .GetProperty("error");
            return (response.StatusCode, error.GetProperty("code").GetString()!);
        }
    }

    [Fact]
    public async Task Without_a_key_or_with_a_wrong_one_nothing_is_told_but_health_and_the_page()
    {
        await using ServerFixture server = await ServerFixture.Start(options: WithKeys());
        Assert.Equal((HttpStatusCode.Unauthorized, "invalid_api_key"),
            await Refusal(await server.Post("/v1/chat/completions", ServerFixture.Chat("Hi"))));
        Assert.Equal((HttpStatusCode.Unauthorized, "invalid_api_key"),
            await Refusal(await server.Post("/v1/chat/completions", ServerFixture.Chat("Hi"), "alice-012345678")));
        foreach (string path in (string[])["/v1/models", "/metrics", "/v1/kv/stats", "/v1/kv/views", "/v1/kv/events", "/nothing"])
            Assert.Equal((HttpStatusCode.Unauthorized, "invalid_api_key"),
                await Refusal(await server.Client.GetAsync(path, ServerFixture.Patience)));
        foreach (string path in (string[])["/health", "/", "/assets/kvasir.js"])
            Assert.Equal(HttpStatusCode.OK, (await server.Client.GetAsync(path, ServerFixture.Patience)).StatusCode);
        await server.Ask("/v1/chat/completions", ServerFixture.Chat("Hi"), Alice);
    }

    [Fact]
    public async Task A_key_does_what_its_scopes_allow()
    {
        await using ServerFixture server = await ServerFixture.Start(options: WithKeys());
        await server.Ask("/v1/chat/completions", ServerFixture.Chat("Hi"), Bob);
        Assert.Equal((HttpStatusCode.Forbidden, "missing_scope"),
            await Refusal(await server.Post("/v1/kv/warm", new JsonObject { ["prompt"] = "Once" }, Bob)));
        Assert.Equal((HttpStatusCode.Forbidden, "missing_scope"),
            await Refusal(await server.Post("/v1/chat/completions", ServerFixture.Chat("Hi"), Clerk)));
        await server.Ask("/v1/kv/warm", new JsonObject { ["prompt"] = "Once" }, Alice);
    }

    [Fact]
    public async Task What_one_key_has_computed_no_other_finds_nor_learns_of()
    {
        await using ServerFixture server = await ServerFixture.Start(options: WithKeys(), hasDisk: true);
        JsonObject chat = ServerFixture.Chat(ServerFixture.LongText(20));
        int Cached(JsonElement answer) =>
            answer.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32();
        Assert.Equal(0, Cached(await server.Ask("/v1/chat/completions", chat, Alice)));
        JsonElement again = await server.Ask("/v1/chat/completions", chat, Alice);
        Assert.Equal(again.GetProperty("usage").GetProperty("prompt_tokens").GetInt32() - 1, Cached(again));
        JsonElement other = await server.Ask("/v1/chat/completions", chat, Bob, ("X-Kvasir-Explain", "1"));
        Assert.Equal(0, Cached(other));
        Assert.DoesNotContain(other.GetProperty("kvasir").GetProperty("miss").EnumerateArray(),
            miss => miss.GetProperty("reason").GetString() == "other_salt");
        Assert.Contains(other.GetProperty("kvasir").GetProperty("miss").EnumerateArray(),
            miss => miss.GetProperty("reason").GetString() == "never_seen");
    }

    [Fact]
    public async Task What_ran_in_a_slot_is_told_to_its_own_key()
    {
        await using ServerFixture server = await ServerFixture.Start(options: WithKeys());
        await server.Ask("/completion", JsonNode.Parse("""{"prompt": "Once", "n_predict": 1, "stop": ["secret"], "id_slot": 0}""")!, Alice);
        async Task<bool> Sees(string key)
        {
            using HttpRequestMessage request = new(HttpMethod.Get, "/slots");
            request.Headers.Add("Authorization", $"Bearer {key}");
            using HttpResponseMessage slots = await server.Client.SendAsync(request, ServerFixture.Patience);
            Assert.Equal(HttpStatusCode.OK, slots.StatusCode);
            return (await slots.Content.ReadAsStringAsync(ServerFixture.Patience)).Contains("secret", StringComparison.Ordinal);
        }
        Assert.Equal((true, false), (await Sees(Alice), await Sees(Bob)));
    }

    [Fact]
    public async Task A_client_may_keep_its_requests_apart_and_names_are_plain()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonObject With(string salt) => new(ServerFixture.Chat(ServerFixture.LongText(20))
            .Select(pair => KeyValuePair.Create(pair.Key, pair.Value?.DeepClone())))
        { ["cache_salt"] = salt };
        int Cached(JsonElement answer) =>
            answer.GetProperty("usage").GetProperty("prompt_tokens_details").GetProperty("cached_tokens").GetInt32();
        await server.Ask("/v1/chat/completions", With("a"));
        Assert.Equal(0, Cached(await server.Ask("/v1/chat/completions", With("b"))));
        JsonElement again = await server.Ask("/v1/chat/completions", With("a"));
        Assert.Equal(again.GetProperty("usage").GetProperty("prompt_tokens").GetInt32() - 1, Cached(again));
        foreach (string bad in (string[])["", "a/b", "../a", "a b", "ä", new string('a', 65)])
            Assert.Equal(HttpStatusCode.BadRequest, (await server.Post("/v1/chat/completions", With(bad))).StatusCode);
    }

    [Fact]
    public async Task A_page_of_elsewhere_does_not_get_in_through_the_browser()
    {
        await using ServerFixture server =
            await ServerFixture.Start(options: new ServerOptions { AllowedOrigins = ["https://chat.example.org"] });
        async Task<HttpResponseMessage> Send(HttpMethod method, string name, string value)
        {
            using HttpRequestMessage request = new(method, "/v1/models");
            request.Headers.TryAddWithoutValidation(name, value);
            return await server.Client.SendAsync(request, ServerFixture.Patience);
        }
        Assert.Equal((HttpStatusCode.Forbidden, "host_not_allowed"), await Refusal(await Send(HttpMethod.Get, "Host", "evil.example.org")));
        Assert.Equal((HttpStatusCode.Forbidden, "origin_not_allowed"),
            await Refusal(await Send(HttpMethod.Get, "Origin", "https://evil.example.org")));
        Assert.Equal((HttpStatusCode.Forbidden, "origin_not_allowed"), await Refusal(await Send(HttpMethod.Get, "Origin", "null")));
        using HttpResponseMessage allowed = await Send(HttpMethod.Options, "Origin", "https://chat.example.org");
        Assert.Equal(HttpStatusCode.NoContent, allowed.StatusCode);
        Assert.Equal("https://chat.example.org", allowed.Headers.GetValues("Access-Control-Allow-Origin").Single());
        Assert.False(allowed.Headers.Contains("Access-Control-Allow-Credentials"));
        Assert.Equal(HttpStatusCode.OK, (await Send(HttpMethod.Get, "Origin", server.Server.Address)).StatusCode);
        foreach (string other in (string[])[server.Server.Address.Replace("http", "https", StringComparison.Ordinal),
            "http://chat.example.org", "https://chat.example.org:8443", "ftp://" + new Uri(server.Server.Address).Authority])
            Assert.Equal((HttpStatusCode.Forbidden, "origin_not_allowed"), await Refusal(await Send(HttpMethod.Get, "Origin", other)));
    }

    [Fact]
    public async Task All_origins_may_ask_where_that_was_said_and_none_with_cookies()
    {
        await using ServerFixture server = await ServerFixture.Start(options: WithKeys() with { AllowedOrigins = ["*"] });
        async Task<HttpResponseMessage> Send(HttpMethod method, string? key, string origin)
        {
            using HttpRequestMessage request = new(method, "/v1/models");
            request.Headers.Add("Origin", origin);
            if (key is null)
                request.Headers.Add("Access-Control-Request-Headers", "authorization, content-type");
            else
                request.Headers.Authorization = new("Bearer", key);
            return await server.Client.SendAsync(request, ServerFixture.Patience);
        }
        foreach (string origin in (string[])["https://any.example.org", "http://127.0.0.1:1", "null"])
        {
            using HttpResponseMessage before = await Send(HttpMethod.Options, null, origin),
                answer = await Send(HttpMethod.Get, Bob, origin),
                refused = await Send(HttpMethod.Get, "wrong-0123456789", origin);
            Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.OK, HttpStatusCode.Unauthorized),
                (before.StatusCode, answer.StatusCode, refused.StatusCode));
            Assert.Equal("authorization, content-type", string.Join(", ", before.Headers.GetValues("Access-Control-Allow-Headers")));
            Assert.Equal("GET, HEAD, POST, DELETE", string.Join(", ", before.Headers.GetValues("Access-Control-Allow-Methods")));
            Assert.All([before, answer, refused], response =>
            {
                Assert.Equal("*", response.Headers.GetValues("Access-Control-Allow-Origin").Single());
                Assert.False(response.Headers.Contains("Access-Control-Allow-Credentials"));
            });
        }
    }

    /// <summary>Whether a page may ask: by its browser's question before, and by the request itself, which have to say the same.</summary>
    static async Task<bool> Admits(ServerFixture server, string origin, string? key, string? host = null)
    {
        List<bool> admitted = [];
        foreach (HttpMethod method in (HttpMethod[])[HttpMethod.Options, HttpMethod.Get])
        {
            using HttpRequestMessage request = new(method, "/v1/models");
            request.Headers.TryAddWithoutValidation("Origin", origin);
            if (method == HttpMethod.Options)
                request.Headers.Add("Access-Control-Request-Method", "POST");
            else if (key is not null)
                request.Headers.Authorization = new("Bearer", key);
            request.Headers.Host = host;
            using HttpResponseMessage response = await server.Client.SendAsync(request, ServerFixture.Patience);
            admitted.Add(response.IsSuccessStatusCode);
            if (response.IsSuccessStatusCode)
                Assert.Equal(origin, response.Headers.GetValues("Access-Control-Allow-Origin").Single());
        }
        return Assert.Single(admitted.Distinct());
    }

    static readonly string[] s_local = ["http://localhost", "http://localhost:5173", "https://127.0.0.1:8443", "http://[::1]:3000",
        "app://obsidian.md", "app://-", "vscode-webview://1a2b3c", "vscode-file://vscode-app", "tauri://localhost", "file://"],
        s_foreign = ["https://evil.example.org", "http://localhost.evil.example.org", "http://127.0.0.1.evil.example.org", "http://localhost@evil.example.org",
            "http://evil.example.org:127", "xapp://a", "http://app:1", "https://localhost:5173.evil.example.org", "javascript://localhost", "localhost"];

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Pages_of_this_machine_come_in_with_a_key_or_by_one_flag_and_no_others(bool hasKey)
    {
        await using ServerFixture server = await ServerFixture.Start(
            options: hasKey ? WithKeys() : new ServerOptions { AllowedOrigins = ["local"] });
        string? key = hasKey ? Bob : null;
        foreach (string origin in s_local)
            Assert.True(await Admits(server, origin, key), origin);
        foreach (string origin in s_foreign)
            Assert.False(await Admits(server, origin, key), origin);
        Assert.Equal(hasKey, await Admits(server, "null", key)); // any page of the web can make a frame that has no origin
        if (!hasKey) // a page of the web whose name now leads here, with an origin that is allowed or its own
            foreach (string origin in (string[])["http://localhost:5173", "http://evil.example.org"])
                Assert.False(await Admits(server, origin, key, host: "evil.example.org"));
    }

    [Fact]
    public async Task An_origin_may_leave_its_port_or_host_open()
    {
        await using ServerFixture server = await ServerFixture.Start(
            options: new ServerOptions { AllowedOrigins = ["http://chat.example.org:*", "chrome-extension://*"] });
        foreach ((string origin, bool admitted) in ((string, bool)[])[("http://chat.example.org", true), ("http://chat.example.org:81", true),
            ("https://chat.example.org", false), ("http://chat.example.org.evil.org:81", false), ("chrome-extension://abc", true),
            ("moz-extension://abc", false), ("http://localhost:5173", false)])
            Assert.Equal((origin, admitted), (origin, await Admits(server, origin, null)));
    }

    [Fact]
    public async Task A_question_before_a_request_is_answered_with_all_that_clients_send()
    {
        await using ServerFixture server = await ServerFixture.Start(options: WithKeys());
        const string names = "authorization,content-type,x-api-key,anthropic-version,anthropic-beta,x-stainless-os,x-stainless-retry-count";
        using HttpRequestMessage request = new(HttpMethod.Options, "/v1/responses/resp_0");
        foreach ((string name, string value) in ((string, string)[])[("Origin", "http://localhost:3000"), ("Access-Control-Request-Method", "DELETE"),
            ("Access-Control-Request-Headers", names), ("Access-Control-Request-Private-Network", "true")])
            request.Headers.Add(name, value);
        using HttpResponseMessage response = await server.Client.SendAsync(request, ServerFixture.Patience);
        string Header(string name) => string.Join(", ", response.Headers.GetValues(name));
        Assert.Equal((HttpStatusCode.NoContent, names, "GET, HEAD, POST, DELETE", "7200", "true", "Origin"),
            (response.StatusCode, Header("Access-Control-Allow-Headers"), Header("Access-Control-Allow-Methods"),
                Header("Access-Control-Max-Age"), Header("Access-Control-Allow-Private-Network"), Header("Vary")));
    }

    [Fact]
    public async Task Health_says_the_same_to_everybody()
    {
        await using ServerFixture server = await ServerFixture.Start(options: WithKeys());
        foreach (string path in (string[])["/health", "/v1/health"])
            foreach (string? key in (string?[])[null, Bob, Clerk, "wrong-0123456789"])
            {
                using HttpRequestMessage request = new(HttpMethod.Get, path);
                if (key is not null)
                    request.Headers.Authorization = new("Bearer", key);
                using HttpResponseMessage response = await server.Client.SendAsync(request, ServerFixture.Patience);
                Assert.Equal((HttpStatusCode.OK, """{"status":"ok"}"""),
                    (response.StatusCode, await response.Content.ReadAsStringAsync(ServerFixture.Patience)));
            }
    }

    [Theory]
    [InlineData("*", "expected an API key with it")]
    [InlineData("null", "expected an API key with it")]
    [InlineData("chat.example.org", "or a scheme and a host")]
    [InlineData("https://chat.example.org/", "or a scheme and a host")]
    [InlineData("https://chat.example.org/page", "or a scheme and a host")]
    [InlineData("https://*.example.org", "or a scheme and a host")]
    [InlineData("https://*", "or a scheme and a host")]
    [InlineData("https://user@chat.example.org", "or a scheme and a host")]
    [InlineData("*://localhost", "or a scheme and a host")]
    [InlineData("mailto:a", "or a scheme and a host")]
    [InlineData("", "or a scheme and a host")]
    public void An_origin_that_would_let_in_nobody_or_everybody_is_refused_at_the_start(string origin, string said) =>
        Assert.Contains(said, Assert.Throws<ArgumentException>(() => new ServerOptions { AllowedOrigins = [origin] }.Validate()).Message,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("https://chat.example.org")]
    [InlineData("HTTP://localhost:5173")]
    [InlineData("http://[::1]:3000")]
    [InlineData("http://localhost:*")]
    [InlineData("vscode-webview://*")]
    [InlineData("app://obsidian.md")]
    [InlineData("local")]
    public void An_origin_as_browsers_send_it_is_taken(string origin) => new ServerOptions { AllowedOrigins = [origin] }.Validate();

    [Fact]
    public async Task A_file_of_keys_that_others_can_read_is_warned_of_once()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no such modes");
        using Fixtures.TemporaryFolder folder = new();
        string path = folder["keys"];
        File.WriteAllText(path, Alice + "\n");
        const UnixFileMode mine = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        foreach ((UnixFileMode mode, int warnings) in ((UnixFileMode, int)[])[(mine | UnixFileMode.OtherRead, 1), (mine, 0)])
        {
            if (!OperatingSystem.IsWindows())
                File.SetUnixFileMode(path, mode);
            using Cli.KvasirProcess server = Cli.KvasirProcess.Start("serve", "--port", "0", "--quiet", "--api-key-file", path);
            await server.Note(new System.Text.RegularExpressions.Regex("dashboard: .*\n"));
            server.Interrupt();
            Assert.Equal(warnings, server.Finish().Errors.Split('\n').Count(line =>
                line == $"warning: {path} holds keys and others can read it: `chmod 600` keeps it"));
        }
    }

    [Fact]
    public void An_address_that_others_reach_needs_a_key()
    {
        var e = Assert.Throws<ArgumentException>(() => new ServerOptions { Address = IPAddress.Any }.Validate());
        Assert.Contains("--api-key", e.Message, StringComparison.Ordinal);
        new ServerOptions { Address = IPAddress.Any, ApiKeys = [new ApiKey(Alice)] }.Validate();
        new ServerOptions { Address = IPAddress.IPv6Loopback }.Validate();
    }

    [Fact]
    public void A_file_of_keys_is_read_and_what_is_wrong_in_it_is_named()
    {
        using Fixtures.TemporaryFolder folder = new();
        File.WriteAllText(folder["keys"], "# keys\n\nalice-0123456789\nbob-0123456789 infer,metrics bob\n");
        IReadOnlyList<ApiKey> keys = ApiKey.ReadFile(folder["keys"]);
        Assert.Equal([(Scopes.All, true), (Scopes.Infer | Scopes.Metrics, false)],
            keys.Select(key => (key.Scopes, key.Owner.StartsWith("key-", StringComparison.Ordinal))));
        foreach ((string text, string said) in ((string, string)[])[("short\n", "line 1: API key: its length is 5"),
            ("alice-0123456789 root\n", "scope 'root'"), ("# none\n", "no keys"), ("a-0123456789 infer bob x\n", "4 words")])
        {
            File.WriteAllText(folder["keys"], text);
            Assert.Contains(said, Assert.Throws<ArgumentException>(() => ApiKey.ReadFile(folder["keys"])).Message,
                StringComparison.Ordinal);
        }
    }
}
