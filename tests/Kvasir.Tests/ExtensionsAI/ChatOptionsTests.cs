using System.Text.Json;
using Kvasir.Inference;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Schemas;
using Kvasir.Inference.Scheduling;
using Microsoft.Extensions.AI;

namespace Kvasir.Tests.ExtensionsAI;

/// <summary>Options mean the same as the engine's, and what cannot be done is refused with its name.</summary>
public sealed class ChatOptionsTests : IDisposable
{
    const int Most = 40;

    readonly SagaChat _saga = new();

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    public void Dispose() => _saga.Dispose();

    Task<ChatResponse> Ask(ChatOptions options) => _saga.Client.GetResponseAsync(_saga.Question(4).Text, options, Patience);

    async Task<string> Expected(SamplingOptions sampling) =>
        (await _saga.Complete(new GenerationOptions { MaxTokens = Most, Sampling = sampling }, ("user", _saga.Question(4).Text))).Text;

    [Fact]
    public async Task Sampling_is_the_engines()
    {
        ChatOptions hot = new() { MaxOutputTokens = Most, Temperature = 1.5f, Seed = -7 };
        SamplingOptions same = new() { Temperature = 1.5f, Seed = unchecked((ulong)-7) };
        Assert.Equal(await Expected(same), (await Ask(hot)).Text);
        Assert.NotEqual(await Expected(SamplingOptions.Greedy), (await Ask(hot)).Text);
        Assert.Equal(await Expected(same with { TopK = 2, TopP = 1 }),
            (await Ask(With(hot, options => (options.TopK, options.TopP) = (2, 1)))).Text);
        Assert.Equal(await Expected(SamplingOptions.Greedy), (await Ask(With(hot, options => options.TopK = 1))).Text);
        Assert.Equal(await Expected(SamplingOptions.Greedy), (await Ask(With(hot, options => options.TopP = 1e-6f))).Text);
    }

    [Fact]
    public async Task Penalties_are_the_engines()
    {
        SamplingOptions plain = new() { Temperature = 2, Seed = 12 };
        SamplingOptions[] all = [plain, plain with { FrequencyPenalty = -2 }, plain with { PresencePenalty = -2 }];
        ChatResponse[] responses = await Task.WhenAll(all.Select(sampling =>
            Ask(new()
            {
                MaxOutputTokens = Most, Temperature = 2, Seed = 12, FrequencyPenalty = sampling.FrequencyPenalty,
                PresencePenalty = sampling.PresencePenalty,
            })));
        Assert.Equal(await Task.WhenAll(all.Select(Expected)), responses.Select(response => response.Text));
        Assert.Equal(3, responses.DistinctBy(response => response.Text).Count());
    }

    [Fact]
    public async Task Answers_end_where_they_are_told_to()
    {
        string instructions = _saga.Instructions; // with something to answer from, the answer is long enough to be cut
        ChatResponse whole = await Ask(new() { Instructions = instructions }),
            cut = await Ask(new() { Instructions = instructions, MaxOutputTokens = 3 });
        ChatResponse stopped = await Ask(new() { Instructions = instructions, StopSequences = [whole.Text[4..8]] });
        Assert.Equal((ChatFinishReason.Stop, ChatFinishReason.Length, ChatFinishReason.Stop),
            (whole.FinishReason, cut.FinishReason, stopped.FinishReason));
        Assert.Equal(3, cut.Usage!.OutputTokenCount);
        Assert.StartsWith(cut.Text, whole.Text, StringComparison.Ordinal);
        Assert.Equal(whole.Text[..whole.Text.IndexOf(whole.Text[4..8], StringComparison.Ordinal)], stopped.Text);
    }

    [Fact]
    public async Task Instructions_are_the_first_message_of_the_system()
    {
        ChatResponse response = await Ask(new() { Instructions = _saga.Instructions });
        ChatResponse same = await _saga.Client.GetResponseAsync(_saga.Ask(4), cancellationToken: Patience);
        Assert.Equal((same.Text, same.Usage!.InputTokenCount), (response.Text, response.Usage!.InputTokenCount));
        Assert.NotEqual(response.Text, (await Ask(new())).Text);
    }

    [Fact]
    public async Task What_was_computed_under_a_salt_is_found_under_it_alone()
    {
        async Task<UsageDetails> Used(string? salt) =>
            (await Ask(new()
            {
                Instructions = _saga.Instructions, AdditionalProperties = salt is null ? null : new() { ["cache_salt"] = salt },
            })).Usage!;
        Assert.Equal(0, (await Used("a")).CachedInputTokenCount);
        UsageDetails again = await Used("a");
        Assert.Equal(again.InputTokenCount - 1, again.CachedInputTokenCount);
        Assert.Equal(0, (await Used("b")).CachedInputTokenCount);
        Assert.Equal(0, (await Used(null)).CachedInputTokenCount);
    }

    [Fact]
    public async Task A_schema_holds()
    {
        JsonElement schema = JsonElement.Parse("""{"type":"object","properties":{"animals":{"enum":["geese","goats"]},"count":{"type":"integer","minimum":1,"maximum":12},"sure":{"type":"boolean"}},"required":["animals","count","sure"],"additionalProperties":false}""");
        ChatResponse response = await Ask(new() { ResponseFormat = ChatResponseFormat.ForJsonSchema(schema), Temperature = 2, Seed = 1 });
        JsonElement answer = JsonElement.Parse(response.Text);
        Assert.Contains(answer.GetProperty("animals").GetString(), (string[])["geese", "goats"]);
        Assert.InRange(answer.GetProperty("count").GetInt32(), 1, 12);
        Assert.Equal(3, answer.EnumerateObject().Count());
    }

    [Fact]
    public async Task A_type_is_answered_with()
    {
        ChatResponse<Herd> response = await _saga.Client.GetResponseAsync<Herd>(_saga.Question(4).Text,
            new ChatOptions { Temperature = 2, Seed = 3 }, cancellationToken: Patience);
        Assert.True(Enum.IsDefined(response.Result.Animals), response.Text);
    }

    [Fact]
    public async Task What_cannot_be_done_is_refused_with_its_name()
    {
        async Task Refused<T>(string expected, Action<ChatOptions> change) where T : Exception =>
            Assert.Contains(expected, (await Assert.ThrowsAsync<T>(() => Ask(With(new(), change)))).Message, StringComparison.Ordinal);
        await Refused<ArgumentException>("ModelId: 'gpt-4' is not loaded here, expected 'Kvasir Saga'",
            options => options.ModelId = "gpt-4");
        await Refused<NotSupportedException>("ConversationId: ", options => options.ConversationId = "c1");
        await Refused<ArgumentException>("ToolMode: requires 'any tool', expected one of the 0",
            options => options.ToolMode = ChatToolMode.RequireAny);
        await Refused<ArgumentException>("cache_salt\"]: Int32, expected a text",
            options => options.AdditionalProperties = new() { ["cache_salt"] = 5 });
        await Refused<ArgumentException>("temperature: -1, expected 0 or more", options => options.Temperature = -1);
        await Refused<JsonSchemaException>("ResponseFormat: #",
            options => options.ResponseFormat = ChatResponseFormat.ForJsonSchema(JsonElement.Parse("""{"type":"colour"}""")));
        await Refused<ContextExceededException>("1,0",
            options => options.Instructions = string.Join(' ', Enumerable.Repeat("the old mill", 600)));
    }

    [Fact]
    public async Task The_model_reads_text_only()
    {
        async Task<string> Refusal(AIContent content) =>
            (await Assert.ThrowsAsync<NotSupportedException>(() => _saga.Client.GetResponseAsync([new(ChatRole.System, "Look."),
                new(ChatRole.User, [new TextContent("What is this?"), content])], cancellationToken: Patience))).Message;
        Assert.Equal("messages[1].Contents[1]: data of type image/png: this model reads text only, expected text, calls or their results",
            await Refusal(new DataContent(new byte[] { 1, 2 }, "image/png")));
        Assert.Contains("a link to audio/wav", await Refusal(new UriContent("https://example.org/a.wav", "audio/wav")),
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_a_model_thought_is_left_out()
    {
        async Task<long?> Read(params AIContent[] contents) => (await _saga.Client.GetResponseAsync([new(ChatRole.User, contents)],
            new() { MaxOutputTokens = 1 }, Patience)).Usage!.InputTokenCount;
        Assert.Equal(await Read(new TextContent("Who is there?")),
            await Read(new TextReasoningContent("a greeting"), new TextContent("Who is there?")));
    }

    static ChatOptions With(ChatOptions options, Action<ChatOptions> change)
    {
        ChatOptions changed = options.Clone();
        change(changed);
        return changed;
    }

    sealed record Herd(Kind Animals, bool AreMany);

    enum Kind
    {
        Geese,
        Goats,
    }
}
