using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Kvasir.Server;
using Kvasir.Server.Serving;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>Every row of the table of fields, asked of a running server.</summary>
public sealed class FieldWalkTests
{
    const string Tool = """{"type": "object", "properties": {}, "additionalProperties": false}""";
    const string ChatTools = """[{"type": "function", "function": {"name": "noon", "parameters": """ + Tool + "}}]";
    const string ResponseTools = $$"""[{"type": "function", "name": "noon", "parameters": {{Tool}}}]""";
    const string MessageTools = $$"""[{"name": "noon", "input_schema": {{Tool}}}]""";
    const string Schema = """{"type": "json_schema", "schema": {"type": "integer"}}""";
    const string Warm = """ "temperature": 1.5, "seed": 3""";
    const string Loop = """ "repeat_penalty": 0.3"""; // says again what was said
    const string Dry = Loop + """, "dry_multiplier": 500""";
    const string Long = """{"prompt": "Finn has a rabbit. Finn has a rabbit. Finn has a rabbit. Finn has a rabbit. Finn has a rabbit."}""";
    const string Plainly = """{"temperature": 0, "num_predict": 16, "top_k": 0, "top_p": 1, "min_p": 0, "repeat_penalty": 1}""";
    const string Stop = """ "stop": ["e", " "], "stop_sequences": ["e", " "]""";

    static readonly Dictionary<Endpoints, (string Path, string Body)> s_requests = new()
    {
        [Endpoints.Chat] = ("/v1/chat/completions", $$"""{"messages": {{Said("Finn has a rabbit. Finn has a rabbit. Who has a rabbit?")}}, "temperature": 0, "max_tokens": 16}"""),
        [Endpoints.Completions] = ("/v1/completions", """{"prompt": "Finn has a rabbit. Finn has a rabbit. Finn", "temperature": 0, "max_tokens": 16}"""),
        [Endpoints.Responses] = ("/v1/responses", """{"input": "Finn has a rabbit. Finn has a rabbit. Who has a rabbit?", "temperature": 0, "max_output_tokens": 16}"""),
        [Endpoints.Messages] = ("/v1/messages", $$"""{"messages": {{Said("Finn has a rabbit. Finn has a rabbit. Who has a rabbit?")}}, "temperature": 0, "max_tokens": 16}"""),
        [Endpoints.Embeddings] = ("/v1/embeddings", """{"input": "Finn has a rabbit."}"""),
        [Endpoints.Tokenize] = ("/tokenize", """{"content": "Finn has a rabbit."}"""),
        [Endpoints.Detokenize] = ("/detokenize", """{"tokens": [70, 71]}"""),
        [Endpoints.KvLookup] = ("/v1/kv/lookup", Long),
        [Endpoints.KvWarm] = ("/v1/kv/warm", Long),
        [Endpoints.KvPin] = ("/v1/kv/pin", Long),
        [Endpoints.KvUnpin] = ("/v1/kv/unpin", Long),
        [Endpoints.KvExport] = ("/v1/kv/export", Long),
        [Endpoints.KvEvict] = ("/v1/kv/evict", """{"all": true, "tier": "device"}"""),
        [Endpoints.Completion] = ("/completion", """{"prompt": "Finn has a rabbit. Finn has a rabbit. Finn", "temperature": 0, "n_predict": 16, "top_k": 0, "top_p": 1, "min_p": 0}"""),
        [Endpoints.Embedding] = ("/embedding", """{"content": "Finn has a rabbit."}"""),
        [Endpoints.ApplyTemplate] = ("/apply-template", $$"""{"messages": {{Said("Who has a rabbit?")}}}"""),
        [Endpoints.OllamaChat] = ("/api/chat", $$"""{"model": "default", "stream": false, "messages": {{Said("Finn has a rabbit. Finn has a rabbit. Who has a rabbit?")}}, "options": {{Plainly}}}"""),
        [Endpoints.OllamaGenerate] = ("/api/generate", $$"""{"model": "default", "stream": false, "prompt": "Finn has a rabbit. Finn has a rabbit. Finn", "options": {{Plainly}}}"""),
        [Endpoints.OllamaEmbed] = ("/api/embed", """{"model": "default", "input": "Finn has a rabbit."}"""),
        [Endpoints.OllamaEmbeddings] = ("/api/embeddings", """{"model": "default", "prompt": "Finn has a rabbit."}"""),
        [Endpoints.OllamaShow] = ("/api/show", """{"model": "default"}"""),
    };

    /// <summary>
    /// A value that changes the answer, and what else both requests say. Where nothing stands here, another test sees what the field does,
    /// and this one that its value is read.
    /// </summary>
    static readonly Dictionary<string, (string Value, string With)> s_effects = new()
    {
        ["model"] = ("\"another\"", ""),
        ["messages"] = (Said("Who are you?"), ""),
        ["system"] = ("\"Say little.\"", ""),
        ["prompt"] = ("\"Once\"", ""),
        ["input"] = ("\"Who are you?\"", ""),
        ["instructions"] = ("\"Say little.\"", ""),
        ["previous_response_id"] = ("\"resp_0\"", ""),
        ["add_generation_prompt"] = ("false", ""),
        ["echo"] = ("true", ""),
        ["dimensions"] = ("3", ""),
        ["encoding_format"] = ("\"base64\"", ""),
        ["max_tokens"] = ("2", ""),
        ["max_completion_tokens"] = ("2", ""),
        ["max_output_tokens"] = ("2", ""),
        ["n_predict"] = ("2", """ "max_tokens": null"""),
        ["min_tokens"] = ("9", Stop),
        ["stop"] = ("[\"e\", \" \"]", ""),
        ["stop_sequences"] = ("[\"e\", \" \"]", ""),
        ["include_stop_str_in_output"] = ("true", Stop),
        ["ignore_eos"] = ("true", """ "logit_bias": {"END": 100}"""),
        ["temperature"] = ("2", """ "seed": 3"""),
        ["top_p"] = ("0.01", Warm),
        ["top_k"] = ("1", Warm),
        ["min_p"] = ("1", Warm),
        ["typical_p"] = ("0.01", Warm),
        ["top_n_sigma"] = ("0.01", Warm),
        ["xtc_probability"] = ("1", Warm),
        ["xtc_threshold"] = ("0.0001", Warm + """, "xtc_probability": 1"""),
        ["dry_multiplier"] = ("500", Loop),
        ["dry_base"] = ("1000", Loop + """, "dry_multiplier": 0.001"""),
        ["dry_allowed_length"] = ("50", Dry),
        ["dry_penalty_last_n"] = ("0", Dry),
        ["dry_sequence_breakers"] = ("[\"a\", \"n\", \"e\", \"t\", \" \"]", Dry),
        ["mirostat"] = ("2", Warm),
        ["mirostat_tau"] = ("0.01", Warm + """, "mirostat": 2"""),
        ["mirostat_eta"] = ("1", Warm + """, "mirostat": 2, "mirostat_tau": 1"""),
        ["repeat_penalty"] = ("10", ""),
        ["repetition_penalty"] = ("10", ""),
        ["repeat_last_n"] = ("0", """ "repeat_penalty": 10"""),
        ["frequency_penalty"] = ("2", Warm),
        ["presence_penalty"] = ("2", Warm),
        ["logit_bias"] = ("""{"70": 100}""", ""),
        ["seed"] = ("4", Warm),
        ["samplers"] = ("[\"top_k\"]", Warm),
        ["n_cmpl"] = ("2", ""),
        ["n_probs"] = ("2", ""),
        ["return_tokens"] = ("true", ""),
        ["response_fields"] = ("[\"content\"]", ""),
        ["id_slot"] = ("3", ""),
        ["embd_normalize"] = ("1", ""),
        ["raw"] = ("true", ""),
        ["context"] = ("[70, 71]", ""),
        ["format"] = ("\"json\"", ""),
        ["num_predict"] = ("2", ""),
        ["num_ctx"] = ("40", ""),
        ["verbose"] = ("true", ""),
        ["n"] = ("2", ""),
        ["best_of"] = ("2", ""),
        ["response_format"] = ("""{"type": "json_object"}""", ""),
        ["json_schema"] = ("""{"type": "integer"}""", ""),
        ["grammar"] = ("\"root ::= \\\"ab\\\"\"", ""),
        ["guided_json"] = ("""{"type": "integer"}""", ""),
        ["guided_grammar"] = ("\"root ::= \\\"ab\\\"\"", ""),
        ["guided_regex"] = ("\"[ab]{3}\"", ""),
        ["guided_choice"] = ("[\"ab\", \"ba\"]", ""),
        ["structured_outputs"] = ("""{"choice": ["ab", "ba"]}""", ""),
        ["text.format"] = (Schema, ""),
        ["output_config.format"] = (Schema, ""),
        ["stream"] = ("true", ""),
        ["stream_options.include_usage"] = ("true", """ "stream": true"""),
        ["prompt_logprobs"] = ("2", ""),
        ["top_logprobs"] = ("3", """ "logprobs": true"""),
        ["timings_per_token"] = ("true", ""),
        ["return_progress"] = ("true", """ "stream": true"""),
        ["metadata"] = ("""{"a": "b"}""", ""),
        ["content"] = ("\"Once\"", ""),
        ["tokens"] = ("[72, 73]", """ "prompt": null"""),
        ["parse_special"] = ("false", """ "content": "<|im_end|>" """),
        ["with_pieces"] = ("true", ""),
        ["return_token_strs"] = ("true", ""),
        ["id"] = ("\"0123\"", """ "prompt": null, "all": false"""),
        ["owner"] = ("\"ada\"", ""),
    };

    /// <summary>Those that endpoints have in forms of their own.</summary>
    static readonly Dictionary<(Endpoints, string), (string Value, string With)> s_ownEffects = new(OfConversations())
    {
        [(Endpoints.Tokenize, "prompt")] = ("\"Once\"", """ "content": null"""),
        [(Endpoints.KvUnpin, "owner")] = ("\"ada\"", """ "prompt": null"""),
        [(Endpoints.Chat, "tools")] = (ChatTools, ""),
        [(Endpoints.Responses, "tools")] = (ResponseTools, ""),
        [(Endpoints.Messages, "tools")] = (MessageTools, ""),
        [(Endpoints.Chat, "tool_choice")] = ("\"required\"", $""" "tools": {ChatTools}"""),
        [(Endpoints.Responses, "tool_choice")] = ("\"required\"", $""" "tools": {ResponseTools}"""),
        [(Endpoints.Messages, "tool_choice")] = ("""{"type": "any"}""", $""" "tools": {MessageTools}"""),
        [(Endpoints.Chat, "logprobs")] = ("true", ""),
        [(Endpoints.Completions, "logprobs")] = ("2", ""),
        [(Endpoints.Completion, "max_tokens")] = ("2", """ "n_predict": null"""),
        [(Endpoints.Completion, "max_completion_tokens")] = ("2", """ "n_predict": null"""),
        [(Endpoints.Completion, "n_predict")] = ("2", ""),
        [(Endpoints.Completion, "logprobs")] = ("2", ""),
        [(Endpoints.Completion, "min_tokens")] = ("9", """ "stop": ["e", " "]"""),
        [(Endpoints.Embedding, "input")] = ("\"Once\"", """ "content": null"""),
        [(Endpoints.ApplyTemplate, "tools")] = (ChatTools, ""),
        [(Endpoints.ApplyTemplate, "tool_choice")] = ("\"none\"", $""" "tools": {ChatTools}"""),
        [(Endpoints.OllamaChat, "tools")] = (ChatTools, ""),
        [(Endpoints.OllamaChat, "logprobs")] = ("true", ""),
        [(Endpoints.OllamaGenerate, "logprobs")] = ("true", ""),
        [(Endpoints.OllamaGenerate, "options.mirostat_eta")] = ("1", Warm + """, "mirostat": 2, "mirostat_tau": 3, "ignore_eos": true"""),
    };

    /// <summary>Where a conversation may stand in place of a text.</summary>
    static IEnumerable<KeyValuePair<(Endpoints, string), (string Value, string With)>> OfConversations()
    {
        const string NoText = """ "prompt": null, "content": null""";
        string chat = $"""{NoText}, "messages": {Said("Who are you?")}""";
        foreach (Endpoints at in (Endpoints[])[Endpoints.Tokenize, Endpoints.KvLookup, Endpoints.KvWarm, Endpoints.KvPin,
            Endpoints.KvUnpin, Endpoints.KvExport])
        {
            yield return new((at, "messages"), (Said("Who are you?"), NoText));
            if (at is not (Endpoints.Tokenize or Endpoints.KvLookup or Endpoints.KvWarm))
                continue; // what is not there is pinned in no way
            yield return new((at, "tools"), (ChatTools, chat));
            yield return new((at, "tool_choice"), ("\"none\"", $"""{chat}, "tools": {ChatTools}"""));
            yield return new((at, "add_generation_prompt"), ("false", chat));
        }
    }

    /// <summary>Read as it comes, because it goes back as it came.</summary>
    static readonly string[] s_anything = ["metadata"];

    static string Said(string text) => $$"""[{"role": "user", "content": "{{text}}"}]""";

    readonly Dictionary<(Endpoints, string), string> _plain = [];
    readonly List<string> _wrong = [];
    int _asked;

    [Fact]
    public async Task Every_row_of_the_table_holds()
    {
        await using ServerFixture server = await ServerFixture.Start(hasDisk: true, options: new ServerOptions
        {
            ChatTemplate = await File.ReadAllTextAsync(Path.Combine(Checkout.Root,
                "tests/Kvasir.Tests/Templates/corpus/hermes-tools.jinja"), ServerFixture.Patience),
        });
        await server.Ask("/v1/kv/warm", JsonNode.Parse(Long)!); // so that there is something to pin
        foreach (RequestField field in FieldTable.All)
            foreach (Endpoints at in s_requests.Keys.Where(at => field.At.HasFlag(at)))
                if (field.Use == FieldUse.Honoured)
                    await Honoured(server, at, field.Name);
                else if (field.Use == FieldUse.Refused)
                    await Refused(server, at, field);
                else
                    await Expect(server, at, field, "\"x\"");
        Assert.True(_wrong.Count == 0, string.Join('\n', _wrong));
        TestContext.Current.TestOutputHelper?.WriteLine($"{_asked} requests");
    }

    async Task Honoured(ServerFixture server, Endpoints at, string name)
    {
        string plainName = name.Replace("options.", "", StringComparison.Ordinal);
        if (s_ownEffects.TryGetValue((at, name), out var effect) || s_effects.TryGetValue(plainName, out effect))
        {
            string with = await Ask(server, at, effect.With, (name, effect.Value));
            if (with == await Plain(server, at, effect.With))
                _wrong.Add($"{at}: {name}: {effect.Value} changes nothing of {with}");
        }
        string[] answers = [.. await Task.WhenAll(new[] { "7.5", "\"\\u0001\"", """{"wrong": 1}""" }
            .Select(value => Ask(server, at, "", (name, value))))];
        if (!s_anything.Contains(name) && !Array.Exists(answers, answer => answer.StartsWith("400 " + name, StringComparison.Ordinal)))
            _wrong.Add($"{at}: {name}: no value is wrong: {string.Join(" | ", answers)}");
    }

    async Task Refused(ServerFixture server, Endpoints at, RequestField field)
    {
        foreach (string value in (string[])["\"something\"", """{"a": 1}""", "12345"])
            if (await Ask(server, at, "", (field.Name, value)) is var answer
                && !(answer.StartsWith($"400 {field.Name}: ", StringComparison.Ordinal)
                    && answer.Contains("unsupported_field", StringComparison.Ordinal)
                        != ((at & (Endpoints.Messages | Endpoints.OllamaAll)) != 0)))
                _wrong.Add($"{at}: {field.Name}: {value} should be refused: {answer}");
        foreach (string value in field.Neutral)
            await Expect(server, at, field, value);
    }

    async Task Expect(ServerFixture server, Endpoints at, RequestField field, string value)
    {
        string answer = await Ask(server, at, "", (field.Name, value)), plain = await Plain(server, at, "");
        if (answer != plain)
            _wrong.Add($"{at}: {field.Name}: {value} should change nothing: {answer} instead of {plain}");
    }

    async Task<string> Plain(ServerFixture server, Endpoints at, string with) =>
        _plain.TryGetValue((at, with), out string? known) ? known : _plain[(at, with)] = await Ask(server, at, with, null);

    /// <summary>The status and what was answered, without what differs each time, whatever is asked, or is said again.</summary>
    async Task<string> Ask(ServerFixture server, Endpoints at, string with, (string Name, string Value)? field)
    {
        _asked++;
        (string path, string text) = s_requests[at];
        JsonObject body = JsonNode.Parse(text)!.AsObject();
        if (((Endpoints.Computed | Endpoints.Native | Endpoints.Embedding | Endpoints.OllamaAnswers | Endpoints.OllamaEmbed
            | Endpoints.OllamaEmbeddings | Endpoints.KvLookup | Endpoints.KvWarm) & at) != 0)
            body["cache_salt"] = $"walk-{_asked}"; // nothing is found, so that figures are equal
        foreach ((string name, JsonNode? value) in JsonNode.Parse($"{{{with.Replace("END", $"{End(server)}", StringComparison.Ordinal)}}}")!.AsObject())
            if (value is null || Knows(at, name))
                body[name] = value?.DeepClone();
            else if (Knows(at, "options." + name))
                body["options"]![name] = value.DeepClone();
        if (field is { } one)
            Set(body, one.Name, JsonNode.Parse(one.Value));
        using HttpResponseMessage response = await server.Post(path, body);
        string answer = await response.Content.ReadAsStringAsync(ServerFixture.Patience);
        Assert.Equal(IsSkipped(at, field?.Name), response.Headers.Contains("X-Kvasir-Ignored"));
        if ((int)response.StatusCode == 400)
        {
            JsonElement error = JsonDocument.Parse(answer).RootElement.GetProperty("error");
            return error.ValueKind == JsonValueKind.String ? $"400 {error.GetString()}" : $"400 {error.GetProperty("message").GetString()} {error}";
        }
        return $"{(int)response.StatusCode} {Without(answer)}";
    }

    static bool Knows(Endpoints at, string name) =>
        FieldTable.All.Any(row => row.Name == name && row.At.HasFlag(at) && row.Use == FieldUse.Honoured);

    static bool IsSkipped(Endpoints at, string? name) =>
        FieldTable.All.Any(row => row.Name == name && row.At.HasFlag(at) && row.Use == FieldUse.Skipped);

    static int End(ServerFixture server) => server.Engine.Model.Tokenizer.Ends.Min();

    static void Set(JsonObject body, string name, JsonNode? value)
    {
        string[] path = name.Split('.');
        if (path.Length > 1)
            body = (body[path[0]] ??= new JsonObject()).AsObject();
        body[path[^1]] = value;
    }

    static string Without(string answer)
    {
        string plain = Regex.Replace(answer, @"\b(resp|msg|fc|call|toolu|chatcmpl|cmpl|embd)[_-][0-9a-f]{16,32}\b|""(created(_at)?|until|(evicted|kept)_blocks)"":[\d.]+|""created_at"":""[^""]*""|""\w+_duration"":\d+|""\w+_(ms|per_second)"":[\d.E+-]+", "*");
        if (!plain.Contains("\"object\":\"response\"", StringComparison.Ordinal) || plain.StartsWith("event", StringComparison.Ordinal))
            return plain;
        JsonObject response = JsonNode.Parse(plain.Replace("*,", "", StringComparison.Ordinal))!.AsObject();
        return new JsonObject(((string[])["status", "output", "usage", "metadata"])
            .Select(name => KeyValuePair.Create(name, response[name]?.DeepClone()))).ToJsonString();
    }
}
