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
