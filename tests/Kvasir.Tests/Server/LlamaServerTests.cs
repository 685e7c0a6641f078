using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Formats.Gguf;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Tokenization;
using Kvasir.Server;
using Kvasir.Server.Security;
using Kvasir.Server.Serving;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>The protocol of llama.cpp's server.</summary>
public sealed class LlamaServerTests
{
    const string Greedy = """ "temperature": 0, "n_predict": 12, "ignore_eos": true""";

    static JsonNode Json(string json) => JsonNode.Parse(json.Replace("GREEDY", Greedy, StringComparison.Ordinal))!;

    static string Content(JsonElement answer) => answer.GetProperty("content").GetString()!;

    static async Task<JsonElement[]> Events(HttpResponseMessage response)
    {
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType!.MediaType);
        string text = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        return [.. text.Split("\n\n", StringSplitOptions.RemoveEmptyEntries).Where(line => !line.StartsWith(':'))
            .Select(line => JsonElement.Parse(line["data: ".Length..]))];
    }

    [Fact]
    public async Task A_completion_says_what_llama_server_says_streamed_or_whole()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonElement other = await server.Ask("/v1/completions", Json("""{"prompt": "Once upon a time", "temperature": 0, "max_tokens": 12, "ignore_eos": true}"""));
        JsonElement whole = await server.Ask("/completion", Json("""{"prompt": "Once upon a time", GREEDY, "return_tokens": true, "id_slot": 3}"""));
        using HttpResponseMessage response = await server.Post("/completion", Json("""{"prompt": "Once upon a time", GREEDY, "stream": true}"""));
        JsonElement[] events = await Events(response);
        string text = other.GetProperty("choices")[0].GetProperty("text").GetString()!;
        Assert.Equal((text, text), (Content(whole), string.Concat(events.Select(Content))));
        Assert.All(events[..^1], piece => Assert.True(!piece.GetProperty("stop").GetBoolean() && piece.GetProperty("tokens").GetArrayLength() > 0));
        int[] tokens = [.. whole.GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32())];
        Assert.Equal(tokens, events.SelectMany(piece => piece.GetProperty("tokens").EnumerateArray().Select(token => token.GetInt32())));
        int prompt = other.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
        Assert.Equal((true, "limit", "", 12, prompt, prompt - 1, 3, false, "Once upon a time"),
            (whole.GetProperty("stop").GetBoolean(), whole.GetProperty("stop_type").GetString(), whole.GetProperty("stopping_word").GetString(),
                whole.GetProperty("tokens_predicted").GetInt32(), whole.GetProperty("tokens_evaluated").GetInt32(),
                whole.GetProperty("tokens_cached").GetInt32(), whole.GetProperty("id_slot").GetInt32(),
                whole.GetProperty("truncated").GetBoolean(), whole.GetProperty("prompt").GetString()));
        JsonElement timings = events[^1].GetProperty("timings"), settings = events[^1].GetProperty("generation_settings");
        Assert.Equal((prompt - 1, 1, 12), (timings.GetProperty("cache_n").GetInt32(), timings.GetProperty("prompt_n").GetInt32(),
            timings.GetProperty("predicted_n").GetInt32()));
        Assert.Equal((12, 0f, 40, JsonValueKind.Null), (settings.GetProperty("n_predict").GetInt32(), settings.GetProperty("temperature").GetSingle(),
            settings.GetProperty("top_k").GetInt32(), settings.GetProperty("logit_bias")[0].GetProperty("bias").ValueKind));
        JsonElement word = await server.Ask("/completion", Json($$"""{"prompt": "Once upon a time", GREEDY, "stop": [{{JsonValue.Create(text[2..5]).ToJsonString()}}]}"""));
        Assert.Equal(("word", text[2..5]), (word.GetProperty("stop_type").GetString(), word.GetProperty("stopping_word").GetString()));
        await server.AssertIdle();
    }

    [Fact]
    public async Task Prompts_come_in_all_forms_and_answers_with_the_fields_that_are_wanted()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonElement tokenized = await server.Ask("/tokenize", Json("""{"content": "Finn has a rabbit", "add_special": true}"""));
        string tokens = tokenized.GetProperty("tokens").GetRawText();
        string plain = Content(await server.Ask("/completion", Json("""{"prompt": "Finn has a rabbit", GREEDY}""")));
        JsonElement many = await server.Ask("/completion", Json(
            $$"""{"prompt": [{{tokens}}, "Finn has a rabbit", {"prompt_string": "Finn has a rabbit"}], GREEDY, "response_fields": ["content", "generation_settings/n_predict", "no"]}"""));
        Assert.Equal([plain, plain, plain], many.EnumerateArray().Select(Content));
        Assert.All(many.EnumerateArray(), one => Assert.Equal(["content", "generation_settings/n_predict"], one.EnumerateObject().Select(field => field.Name)));
        int first = tokenized.GetProperty("tokens")[0].GetInt32();
        Assert.Equal("Finn", (await server.Ask("/completion", Json($$"""{"prompt": [{{first}}, " has", {{first}}], "n_predict": 0}"""))).GetProperty("prompt").GetString()![..4]);
        Assert.Equal(2, (await server.Ask("/completion", Json("""{"prompt": "Finn", "n_predict": 2, "n_cmpl": 2}"""))).GetArrayLength());
        Assert.Equal(plain, Content(await server.Ask("/completions", Json("""{"prompt": "Finn has a rabbit", GREEDY}"""))));
        Assert.True((await server.Ask("/completions", Json("""{"model": "default", "prompt": "Finn", "max_tokens": 1}"""))).TryGetProperty("choices", out _));
        Assert.Equal(JsonValueKind.Array, (await server.Ask("/embeddings", Json("""{"input": "Finn"}"""))).ValueKind);
        Assert.True((await server.Ask("/embeddings", Json("""{"model": "default", "input": "Finn"}"""))).TryGetProperty("data", out _));
        foreach ((string input, int vectors) in ((string, int)[])
            [($"[{first}, \" has\", {first}]", 1), ($"[[{first}, \" has\"], \"Finn\"]", 2)])
            Assert.Equal(vectors, (await server.Ask("/v1/embeddings", new JsonObject { ["input"] = JsonNode.Parse(input) }))
                .GetProperty("data").GetArrayLength());
        using HttpResponseMessage picture = await server.Post("/completion", Json("""{"prompt": {"prompt_string": "a", "multimodal_data": ["aGk="]}}"""));
        Assert.Equal(HttpStatusCode.BadRequest, picture.StatusCode);
    }

    [Fact]
    public async Task Chances_are_told_as_the_model_gave_them_or_as_tokens_were_drawn()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonElement other = await server.Ask("/v1/completions", Json("""{"prompt": "Once upon a", "temperature": 0, "max_tokens": 3, "logprobs": 4}"""));
        JsonElement likely = (await server.Ask("/completion", Json("""{"prompt": "Once upon a", "temperature": 0, "n_predict": 3, "n_probs": 4}""")))
            .GetProperty("completion_probabilities");
        Assert.Equal(other.GetProperty("choices")[0].GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray().Select(one => one.GetSingle()),
            likely.EnumerateArray().Select(one => one.GetProperty("logprob").GetSingle()));
        Assert.All(likely.EnumerateArray(), one => Assert.Equal(4, one.GetProperty("top_logprobs").GetArrayLength()));
        JsonElement drawn = (await server.Ask("/completion", Json(
            """{"prompt": "Once upon a", "temperature": 1.5, "top_k": 3, "top_p": 1, "min_p": 0, "n_predict": 6, "ignore_eos": true, "n_probs": 5, "post_sampling_probs": true}""")))
            .GetProperty("completion_probabilities");
        Assert.All(drawn.EnumerateArray(), one =>
        {
            double[] chances = [.. one.GetProperty("top_probs").EnumerateArray().Select(top => top.GetProperty("prob").GetDouble())];
            Assert.Equal((3, 1.0), (chances.Length, Math.Round(chances.Sum(), 5)));
            Assert.Contains(one.GetProperty("id").GetInt32(),
                one.GetProperty("top_probs").EnumerateArray().Select(top => top.GetProperty("id").GetInt32()));
        });
        JsonElement greedy = (await server.Ask("/completion", Json("""{"prompt": "Once", "temperature": 0, "n_predict": 1, "n_probs": 5, "post_sampling_probs": true}""")))
            .GetProperty("completion_probabilities")[0];
        Assert.Equal((1.0, 1), (greedy.GetProperty("prob").GetDouble(), greedy.GetProperty("top_probs").GetArrayLength()));
    }

    [Fact]
    public async Task Samplers_biases_and_the_limit_of_time_act()
    {
        await using ServerFixture server = await ServerFixture.Start();
        async Task<string> Answer(string more) => Content(await server.Ask("/completion", Json(
            $$"""{"prompt": "Once upon a", "n_predict": 12, "ignore_eos": true, "temperature": 1.4, "seed": 5{{more}}}""")));
        string off = await Answer(""", "top_k": 0, "top_p": 1, "min_p": 0.4""");
        Assert.Equal(off, await Answer(""", "min_p": 0.4, "samplers": ["min_p", "temperature"]"""));
        Assert.Equal(off, await Answer(""", "min_p": 0.4, "samplers": "mt" """));
        Assert.NotEqual(off, await Answer(""", "min_p": 0.4, "samplers": ["top_k", "temperature"]"""));
        using HttpResponseMessage refused = await server.Post("/completion", Json("""{"prompt": "a", "samplers": ["temperature", "top_p"]}"""));
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
        Assert.Contains("their order is penalties, dry, top_n_sigma, top_k", await refused.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);

        Tokenizer tokenizer = server.Engine.Model.Tokenizer;
        int line = Assert.Single(tokenizer.EncodeTemplate("\n"));
        foreach (string bias in (string[])[$"[[{line}, 100]]", "[[\"\\n\", 100]]", $$"""{"{{line}}": 100}""", """{"\n": 100}"""])
            Assert.Equal(new string('\n', 12), await Answer($", \"logit_bias\": {bias}"));
        int first = (await server.Ask("/completion", Json("""{"prompt": "Once", "n_predict": 1, "temperature": 0, "ignore_eos": true, "return_tokens": true}""")))
            .GetProperty("tokens")[0].GetInt32();
        Assert.NotEqual(first, (await server.Ask("/completion", Json(
            $$"""{"prompt": "Once", "n_predict": 1, "temperature": 0, "ignore_eos": true, "return_tokens": true, "logit_bias": [[{{first}}, false]]}""")))
            .GetProperty("tokens")[0].GetInt32());

        JsonElement late = await server.Ask("/completion", Json(
            $$"""{"prompt": "Once", "n_predict": 900, "ignore_eos": true, "temperature": 0, "logit_bias": [[{{line}}, 100]], "t_max_predict_ms": 1}"""));
        Assert.Equal("limit", late.GetProperty("stop_type").GetString());
        Assert.InRange(late.GetProperty("tokens_predicted").GetInt32(), 1, 899);
    }

    [Fact]
    public async Task What_the_operator_says_holds_where_requests_say_nothing()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions
        {
            Defaults = new RequestDefaults
            {
                Sampling = usual => usual with { Temperature = 0, TopK = 7, Seed = 42 }, MaxTokens = 3, SystemPrompt = "Say little.",
                TemplateVariables = new JsonObject { ["enable_thinking"] = false },
            },
        });
        JsonElement props = await server.Get("/props"), settings = props.GetProperty("default_generation_settings").GetProperty("params");
        Assert.Equal((0f, 7, 42, 3, 0.95f, "Say little.", 1024), (settings.GetProperty("temperature").GetSingle(), settings.GetProperty("top_k").GetInt32(),
            settings.GetProperty("seed").GetInt32(), settings.GetProperty("n_predict").GetInt32(), settings.GetProperty("top_p").GetSingle(),
            props.GetProperty("system_prompt").GetString(), props.GetProperty("default_generation_settings").GetProperty("n_ctx").GetInt32()));
        Assert.Equal(props.GetProperty("total_slots").GetInt32(), (await server.Get("/slots")).GetArrayLength());
        Assert.EndsWith(".gguf", props.GetProperty("model_path").GetString(), StringComparison.Ordinal);
        const string Own = """{"messages": [{"role": "user", "content": "Hi"}], "ignore_eos": true}""";
        const string Said = """{"messages": [{"role": "system", "content": "Say little."}, {"role": "user", "content": "Hi"}], "temperature": 0, "max_tokens": 3, "ignore_eos": true}""";
        JsonElement usual = await server.Ask("/chat/completions", Json(Own)), same = await server.Ask("/v1/chat/completions", Json(Said));
        Assert.Equal(same.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString(),
            usual.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        JsonElement usage = usual.GetProperty("usage");
        Assert.Equal((same.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), 3),
            (usage.GetProperty("prompt_tokens").GetInt32(), usage.GetProperty("completion_tokens").GetInt32()));
        string written = (await server.Ask("/apply-template", Json(Own))).GetProperty("prompt").GetString()!;
        Assert.Equal(usage.GetProperty("prompt_tokens").GetInt32(),
            (await server.Ask("/tokenize", new JsonObject { ["content"] = written })).GetProperty("tokens").GetArrayLength());
        Assert.Contains("Say little.", written, StringComparison.Ordinal);
        JsonElement asked = await server.Ask("/v1/chat/completions", Json(Own[..^1] + """, "max_tokens": 5}"""));
        Assert.Equal(5, asked.GetProperty("usage").GetProperty("completion_tokens").GetInt32());
    }

    [Fact]
    public async Task The_operators_flags_change_paths_thoughts_and_prefill()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions
        {
            PathPrefix = "/llm", Tags = ["small"], Aliases = ["other"],
            Defaults = new RequestDefaults { GoesOnWithAnswers = false, TellsRaw = true },
        });
        const string Prefilled = """{"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Well"}], "max_tokens": 2, "temperature": 0""";
        JsonElement answered = await server.Ask("/llm/v1/chat/completions", Json(Prefilled + "}"));
        JsonElement raw = answered.GetProperty("__verbose");
        Assert.Contains("Well", raw.GetProperty("prompt").GetString(), StringComparison.Ordinal);
        Assert.False(raw.GetProperty("prompt").GetString()!.EndsWith("Well", StringComparison.Ordinal));
        Assert.Equal(answered.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), raw.GetProperty("tokens_evaluated").GetInt32());
        JsonElement plain = await server.Ask("/llm/chat/completions", Json(Prefilled + """, "verbose": false}"""));
        Assert.False(plain.TryGetProperty("__verbose", out _));
        JsonElement model = (await server.Get("/llm/models")).GetProperty("data")[0];
        Assert.Equal(("small", 2), (model.GetProperty("tags")[0].GetString(), model.GetProperty("aliases").GetArrayLength()));
        foreach ((string path, HttpStatusCode status) in ((string, HttpStatusCode)[])[("/models", HttpStatusCode.NotFound),
            ("/llmx/models", HttpStatusCode.NotFound), ("/llm/none", HttpStatusCode.NotFound), ("/llm/health", HttpStatusCode.OK),
            ("/llm", HttpStatusCode.OK)])
        {
            using HttpResponseMessage response = await server.Client.GetAsync(path, ServerFixture.Patience);
            Assert.Equal((path, status), (path, response.StatusCode));
        }
        Assert.Throws<ArgumentException>(() => new KvasirServer(server.Engine, new ServerOptions { PathPrefix = "llm/" }));
    }

    [Fact]
    public async Task While_a_model_is_loaded_somebody_says_so()
    {
        Uri address;
        using (var loading = LoadingServer.Start(new ServerOptions { Port = 0 }))
        {
            address = new Uri(loading.Address);
            using HttpClient client = new() { BaseAddress = address };
            using HttpResponseMessage response = await client.GetAsync("/health", ServerFixture.Patience);
            Assert.Equal((HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(1)),
                (response.StatusCode, response.Headers.RetryAfter!.Delta));
            Assert.Equal("unavailable_error", JsonElement.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience))
                .GetProperty("error").GetProperty("type").GetString());
            Assert.Throws<IOException>(() => LoadingServer.Start(new ServerOptions { Port = address.Port }));
        }
        using var next = LoadingServer.Start(new ServerOptions { Port = address.Port }); // the port is free again
    }

    [Fact]
    public async Task A_prompt_that_is_too_long_is_told_in_the_words_of_each_protocol()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonObject request = ServerFixture.Chat(ServerFixture.LongText(2000));
        foreach ((string path, string type) in ((string, string)[])[("/chat/completions", "exceed_context_size_error"),
            ("/v1/chat/completions", "invalid_request_error")])
        {
            using HttpResponseMessage response = await server.Post(path, request);
            JsonElement error = JsonElement.Parse(await response.Content.ReadAsStringAsync(ServerFixture.Patience)).GetProperty("error");
            Assert.Equal((HttpStatusCode.BadRequest, type, "context_length_exceeded", 1024), (response.StatusCode,
                error.GetProperty("type").GetString(), error.GetProperty("code").GetString(), error.GetProperty("n_ctx").GetInt32()));
            Assert.Contains("exceeds the available context size", error.GetProperty("message").GetString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_slot_is_saved_erased_and_restored()
    {
        using TemporaryFolder folder = new();
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions { SlotFolder = folder["."] });
        string prompt = ServerFixture.LongText(20);
        async Task<int> Cached(string text) => (await server.Ask("/completion",
            new JsonObject { ["prompt"] = text, ["n_predict"] = 4, ["id_slot"] = 1 })).GetProperty("tokens_cached").GetInt32();
        Assert.Equal(0, await Cached(prompt));
        JsonElement saved = await server.Ask("/slots/1?action=save", Json("""{"filename": "finn.bin"}"""));
        int tokens = saved.GetProperty("n_saved").GetInt32();
        Assert.True(tokens > 64);
        Assert.Equal(new FileInfo(folder["finn.bin"]).Length, saved.GetProperty("n_written").GetInt64());
        Assert.True((await server.Ask("/slots/1?action=erase", Json("{}"))).GetProperty("n_erased").GetInt32() >= tokens);
        Assert.Equal(0, await Cached(prompt));
        await server.Ask("/slots/1?action=erase", Json("{}"));
        Assert.Equal(tokens, (await server.Ask("/slots/0?action=restore", Json("""{"filename": "finn.bin"}"""))).GetProperty("n_restored").GetInt32());
        Assert.InRange(await Cached(prompt), tokens - server.Engine.Layout.BlockTokens, tokens);
        foreach ((string path, string body) in ((string, string)[])[("/slots/1?action=restore", """{"filename": "../finn.bin"}"""),
            ("/slots/1?action=restore", """{"filename": "other.bin"}"""), ("/slots/999?action=save", """{"filename": "a"}"""),
            ("/slots/1?action=dance", "{}"), ("/slots/5?action=save", """{"filename": "a"}""")])
        {
            using HttpResponseMessage response = await server.Post(path, Json(body));
            Assert.True(response.StatusCode == HttpStatusCode.BadRequest, $"{path} {body}");
        }
        await File.WriteAllTextAsync(folder["junk.bin"], "no archive", ServerFixture.Patience);
        using HttpResponseMessage junk = await server.Post("/slots/1?action=restore", Json("""{"filename": "junk.bin"}"""));
        Assert.Equal(HttpStatusCode.BadRequest, junk.StatusCode);
        Assert.Equal(["finn.bin", "junk.bin"], folder.Files);
    }

    [Fact]
    public async Task What_is_not_here_is_said_and_the_cache_is_its_admins()
    {
        await using ServerFixture server = await ServerFixture.Start(options: new ServerOptions
        {
            ShowsSlots = false, HasDashboard = false, ApiKeys = [new ApiKey("reader-key", Scopes.Infer)],
        });
        server.Client.DefaultRequestHeaders.Authorization = new("Bearer", "reader-key");
        foreach ((string path, string body, HttpStatusCode status) in ((string, string, HttpStatusCode)[])[
            ("/rerank", """{"query": "a", "documents": ["b"]}""", HttpStatusCode.NotImplemented),
            ("/infill", """{"input_prefix": "a", "input_suffix": "b"}""", HttpStatusCode.NotImplemented),
            ("/props", "{}", HttpStatusCode.NotImplemented), ("/lora-adapters", "[]", HttpStatusCode.NotImplemented),
            ("/slots/0?action=erase", "{}", HttpStatusCode.Forbidden)])
        {
            using HttpResponseMessage response = await server.Post(path, Json(body));
            Assert.True(response.StatusCode == status, path);
        }
        using HttpResponseMessage slots = await server.Client.GetAsync("/slots", ServerFixture.Patience);
        Assert.Equal(HttpStatusCode.NotImplemented, slots.StatusCode);
        Assert.Equal("[]", await server.Client.GetStringAsync("/lora-adapters", ServerFixture.Patience));
        Assert.Equal(0, (await server.Get("/load")).GetProperty("server_load").GetInt32());
        Assert.NotEqual("", (await server.Get("/version")).GetProperty("version").GetString());
        Assert.Equal("", await server.Client.GetStringAsync("/ping", ServerFixture.Patience));
    }

    /// <summary>A model that knows tokens for gaps: saga, told that some of its own are these.</summary>
    [Fact]
    public async Task A_gap_is_filled_in_between_its_tokens()
    {
        using TemporaryFolder folder = new();
        (int prefix, int suffix, int middle) = (1459, 1460, 10);
        using (GgufFile file = GgufFile.Open(SagaModel.Path))
        {
            GgufWriter writer = new();
            foreach (string key in file.Metadata.Keys)
                writer.Set(key, key == "general.alignment" ? (uint)file.Metadata.GetInt32(key) : file.Metadata[key]);
            foreach ((string part, int token) in ((string, int)[])[("pre", prefix), ("suf", suffix), ("mid", middle)])
                writer.Set($"tokenizer.ggml.fim_{part}_token_id", (uint)token);
            foreach (Kvasir.Formats.StoredTensor tensor in file.Tensors)
                writer.Add(tensor.Name, tensor.Type, tensor.Shape, (first, rows) => file.Read(tensor, first, rows.Span));
            writer.Write(folder["gaps.gguf"], cancellation: ServerFixture.Patience);
        }
        await using ServerFixture server = await ServerFixture.Start(model: folder["gaps.gguf"]);
        Tokenizer tokenizer = server.Engine.Model.Tokenizer;
        int[] framed = [prefix, .. tokenizer.Encode("Finn has "), suffix, .. tokenizer.Encode(" rabbits."), middle, .. tokenizer.Encode("se")];
        string expected = Content(await server.Ask("/completion", Json($$"""{"prompt": [{{string.Join(',', framed)}}], GREEDY}""")));
        Assert.Equal(expected, Content(await server.Ask("/infill", Json(
            """{"input_prefix": "Finn has ", "input_suffix": " rabbits.", "prompt": "se", GREEDY}"""))));
        Assert.NotEqual(expected, Content(await server.Ask("/infill", Json(
            """{"input_prefix": "Finn has ", "input_suffix": " rabbits.", "input_extra": [{"filename": "a", "text": "Ada has dogs."}], "prompt": "se", GREEDY}"""))));
        using HttpResponseMessage wrong = await server.Post("/infill", Json("""{"input_prefix": "a", "input_suffix": "b", "input_extra": [{"filename": "a"}]}"""));
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
        framed = [.. framed[..^tokenizer.Encode("se").Length]];
        JsonElement legacy = await server.Ask("/v1/completions",
            Json("""{"prompt": "Finn has ", "suffix": " rabbits.", "temperature": 0, "max_tokens": 12}"""));
        Assert.Equal((framed.Length, Content(await server.Ask("/completion", Json($$"""{"prompt": [{{string.Join(',', framed)}}], GREEDY}""")))),
            (legacy.GetProperty("usage").GetProperty("prompt_tokens").GetInt32(), legacy.GetProperty("choices")[0].GetProperty("text").GetString()));
        Assert.Contains("insert", (await server.Ask("/api/show", Json("""{"model": "default"}"""))).GetProperty("capabilities").EnumerateArray()
            .Select(one => one.GetString()));
    }

    [Fact]
    public async Task Tokens_come_with_their_pieces()
    {
        await using ServerFixture server = await ServerFixture.Start();
        JsonElement tokens = (await server.Ask("/tokenize", Json("""{"content": "Finn ☃", "with_pieces": true}"""))).GetProperty("tokens");
        List<byte> bytes = [];
        foreach (JsonElement token in tokens.EnumerateArray())
            bytes.AddRange(token.GetProperty("piece") is { ValueKind: JsonValueKind.String } text
                ? System.Text.Encoding.UTF8.GetBytes(text.GetString()!)
                : token.GetProperty("piece").EnumerateArray().Select(value => value.GetByte()));
        Assert.Equal("Finn ☃", System.Text.Encoding.UTF8.GetString([.. bytes]));
        Assert.Contains(tokens.EnumerateArray(), token => token.GetProperty("piece").ValueKind == JsonValueKind.Array);
    }
}
