using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference.Measurement.Quality;

namespace Kvasir.Tests.Server;

/// <summary>How likely prompts are, in the shapes in which lm-evaluation-harness asks.</summary>
public sealed class EchoTests : IAsyncLifetime
{
    const string Path = "/v1/completions", Text = "Finn has a rabbit. Who has a rabbit? Finn has a rabbit in the garden.";

    ServerFixture _server = null!;

    public async ValueTask InitializeAsync() => _server = await ServerFixture.Start();

    public ValueTask DisposeAsync() => _server.DisposeAsync();

    static JsonObject Request(JsonNode prompt, int tokens) => new()
    {
        ["model"] = "default", ["prompt"] = prompt, ["temperature"] = 0, ["max_tokens"] = tokens, ["logprobs"] = 1, ["seed"] = 1234,
        ["echo"] = true,
    };

    int[] Tokens(string text) => _server.Engine.Model.Tokenizer.EncodePrompt(text);

    static float?[] Logprobs(JsonElement choice) => [.. choice.GetProperty("logprobs").GetProperty("token_logprobs").EnumerateArray()
        .Select(value => value.ValueKind == JsonValueKind.Null ? (float?)null : value.GetSingle())];

    [Fact]
    public async Task They_are_what_perplexity_says_of_the_same_text()
    {
        int[] tokens = _server.Engine.Model.Tokenizer.Encode(Text);
        double expected = Perplexity.Of(_server.Engine, tokens, cancellation: ServerFixture.Patience).MeanLoss;
        int opening = _server.Engine.Model.Tokenizer.Opening.Length;
        float?[] logprobs = Logprobs((await _server.Ask(Path, Request(Text, 0))).GetProperty("choices")[0]);
        Assert.Null(logprobs[0]);
        Assert.Equal(tokens.Length + opening, logprobs.Length);
        Assert.Equal(expected, -logprobs.Skip(1).Average(value => value!.Value), 1e-5);
    }

    [Fact]
    public async Task A_warm_cache_changes_nothing_of_them_and_says_so()
    {
        JsonObject plain = Request(Text, 1);
        plain["echo"] = false;
        await _server.Ask(Path, plain);
        JsonElement cold = (await _server.Ask(Path, Request(Text, 1))).GetProperty("choices")[0];
        JsonElement warm = await _server.Ask(Path, Request(Text, 1), null, ("X-Kvasir-Explain", "1"));
        JsonElement details = warm.GetProperty("usage").GetProperty("prompt_tokens_details");
        Assert.Equal(cold.ToString(), warm.GetProperty("choices")[0].ToString());
        Assert.Equal((0, "logits_wanted"), (details.GetProperty("cached_tokens").GetInt32(),
            warm.GetProperty("kvasir").GetProperty("miss")[0].GetProperty("reason").GetString()));
        await _server.AssertIdle();
    }

    /// <summary>Contexts with continuations as tokens, many at once: what is summed up is behind the context and before the last.</summary>
    [Fact]
    public async Task Loglikelihoods_of_continuations_are_those_of_their_tokens()
    {
        int[][] prompts = [Tokens(Text), Tokens("Who has a rabbit? Finn."), Tokens("Once upon a time")];
        JsonElement answer = await _server.Ask(Path, Request(
            new JsonArray([.. prompts.Select(prompt => JsonSerializer.SerializeToNode(prompt))]), 1));
        JsonElement[] choices = [.. answer.GetProperty("choices").EnumerateArray()];
        for (int i = 0; i < prompts.Length; i++)
        {
            JsonElement logprobs = choices[i].GetProperty("logprobs");
            float?[] own = Logprobs(choices[i]), alone = Logprobs((await _server.Ask(Path,
                Request(JsonSerializer.SerializeToNode(prompts[i])!, 1))).GetProperty("choices")[0]);
            Assert.Equal(prompts[i].Length + 1, own.Length); // one that comes, even if it ends the text
            Assert.Equal(alone, own);
            Assert.All(own.Zip(logprobs.GetProperty("top_logprobs").EnumerateArray()).Skip(1), pair =>
                Assert.True(pair.Second.EnumerateObject().Max(top => top.Value.GetSingle()) >= pair.First!.Value));
            Assert.Equal(JsonValueKind.Null, logprobs.GetProperty("top_logprobs")[0].ValueKind);
        }
    }

    /// <summary>vLLM's form tells the same numbers, and the rank of each token by counting.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(20)]
    public async Task Prompt_logprobs_are_the_same_numbers_with_ranks(int top)
    {
        JsonObject request = Request(Text, 1);
        (request["echo"], request["prompt_logprobs"]) = (false, top);
        float?[] expected = Logprobs((await _server.Ask(Path, Request(Text, 0))).GetProperty("choices")[0]);
        JsonElement choice = (await _server.Ask(Path, request)).GetProperty("choices")[0];
        Assert.Single(choice.GetProperty("logprobs").GetProperty("tokens").EnumerateArray()); // of the answer alone
        int[] tokens = Tokens(Text);
        JsonElement[] told = [.. choice.GetProperty("prompt_logprobs").EnumerateArray()];
        Assert.Equal((tokens.Length, JsonValueKind.Null), (told.Length, told[0].ValueKind));
        for (int i = 1; i < tokens.Length; i++)
        {
            (int Id, float Logprob, int Rank)[] all = [.. told[i].EnumerateObject().Select(one => (
                int.Parse(one.Name, CultureInfo.InvariantCulture), one.Value.GetProperty("logprob").GetSingle(),
                one.Value.GetProperty("rank").GetInt32()))];
            Assert.Equal((tokens[i], expected[i]), (all[0].Id, all[0].Logprob));
            Assert.Equal(Enumerable.Range(1, top).Union([all[0].Rank]).Order(), all.Select(one => one.Rank).Order());
            Assert.Equal(all.OrderBy(one => one.Rank).Select(one => one.Logprob), all.Select(one => one.Logprob).OrderDescending());
        }
    }

    [Fact]
    public async Task Prompt_logprobs_of_a_chat_are_those_of_its_tokens()
    {
        JsonObject chat = ServerFixture.Chat("Who has a rabbit?");
        JsonElement tokens = (await _server.Ask("/tokenize",
            new JsonObject { ["messages"] = chat["messages"]!.DeepClone() })).GetProperty("tokens");
        (chat["prompt_logprobs"], chat["n"]) = (0, 2);
        JsonElement[] told =
            [.. (await _server.Ask("/v1/chat/completions", chat)).GetProperty("prompt_logprobs").EnumerateArray()];
        Assert.Equal(tokens.EnumerateArray().Skip(1).Select(token => token.ToString()),
            told.Skip(1).Select(token => token.EnumerateObject().Single().Name));
        chat["stream"] = true;
        using HttpResponseMessage refused = await _server.Post("/v1/chat/completions", chat);
        Assert.Contains("prompt_logprobs: 0, expected it only without 'stream'",
            await refused.Content.ReadAsStringAsync(ServerFixture.Patience), StringComparison.Ordinal);
    }

    /// <summary>lm-evaluation-harness takes a server's tokenizer, in place of one of its own, when this is there.</summary>
    [Fact]
    public async Task The_tokenizer_is_told_with_the_tokens_that_texts_begin_and_end_with()
    {
        JsonElement told = await _server.Get("/tokenizer_info");
        foreach ((string name, int? token) in ((string, int?)[])[("bos_token", _server.Engine.Model.Tokenizer.Bos),
            ("eos_token", _server.Engine.Model.Tokenizer.Eos)])
            Assert.Equal([token!.Value], Tokens(told.GetProperty(name).GetString()!));
        Assert.Equal((_server.Engine.Context, true), (told.GetProperty("model_max_length").GetInt32(),
            told.GetProperty("chat_template").GetString()!.Contains("messages", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Offsets_say_where_tokens_stand_and_streams_say_the_same()
    {
        JsonElement choice = (await _server.Ask(Path, Request(Text, 3))).GetProperty("choices")[0],
            logprobs = choice.GetProperty("logprobs");
        string text = choice.GetProperty("text").GetString()!;
        Assert.StartsWith(Text, text, StringComparison.Ordinal);
        string[] tokens = [.. logprobs.GetProperty("tokens").EnumerateArray().Select(token => token.GetString()!)];
        int[] offsets = [.. logprobs.GetProperty("text_offset").EnumerateArray().Select(offset => offset.GetInt32())];
        Assert.All(Tokens(Text).Select((_, i) => i).Where(i => i > 0), i =>
            Assert.StartsWith(tokens[i].TrimStart(), text[offsets[i]..].TrimStart(), StringComparison.Ordinal));
        JsonElement[] chunks = await Streamed.Events(_server, Path, Request(Text, 3));
        JsonElement[] pieces = [.. chunks.Select(chunk => chunk.GetProperty("choices")[0])];
        Assert.Equal(text, Streamed.Joined(pieces, "text"));
        Assert.Equal(Logprobs(choice),
            pieces.Where(piece => piece.GetProperty("logprobs").ValueKind == JsonValueKind.Object).SelectMany(Logprobs));
    }

    [Fact]
    public async Task A_prompt_may_fill_the_context_where_nothing_follows_and_is_counted_right_where_something_does()
    {
        int[] full = [.. Enumerable.Range(0, _server.Engine.Context).Select(i => 70 + i % 20)];
        JsonElement answer = await _server.Ask(Path, Request(JsonSerializer.SerializeToNode(full)!, 0));
        Assert.Equal(full.Length, Logprobs(answer.GetProperty("choices")[0]).Length);
        using HttpResponseMessage refused = await _server.Post(Path, Request(JsonSerializer.SerializeToNode(full)!, 1));
        JsonElement error = JsonDocument.Parse(await refused.Content.ReadAsStringAsync(ServerFixture.Patience)).RootElement
            .GetProperty("error");
        Assert.Equal(("context_length_exceeded", full.Length),
            (error.GetProperty("code").GetString(), error.GetProperty("n_prompt_tokens").GetInt32()));
        Assert.Contains("the prompt has 1,024 tokens, which fill the context",
            error.GetProperty("message").GetString(), StringComparison.Ordinal);
    }
}
