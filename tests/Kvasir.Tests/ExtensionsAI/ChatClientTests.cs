using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;
using Microsoft.Extensions.AI;

namespace Kvasir.Tests.ExtensionsAI;

/// <summary>What a chat client says is what its engine says, and it tells what that took.</summary>
public sealed class ChatClientTests : IDisposable
{
    readonly SagaChat _saga = new();

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    public void Dispose() => _saga.Dispose();

    [Fact]
    public async Task The_answer_is_the_engines()
    {
        GenerationResult expected = await _saga.Complete(new GenerationOptions(), ("system", _saga.Instructions),
            ("user", _saga.Question(3).Text));
        ChatResponse response = await _saga.Client.GetResponseAsync(_saga.Ask(3), cancellationToken: Patience);
        GenerationResult result = Assert.IsType<GenerationResult>(response.RawRepresentation);
        Assert.Equal(_saga.Question(3).Answer, response.Text);
        Assert.Equal(expected.Text, response.Text);
        Assert.Equal(expected.TokenIds, result.TokenIds);
        Assert.Equal((ChatRole.Assistant, ChatFinishReason.Stop, "Kvasir Saga"),
            (Assert.Single(response.Messages).Role, response.FinishReason, response.ModelId));
        Assert.Equal(TimeSpan.Zero, response.CreatedAt!.Value.Offset);
        Assert.NotEqual(response.ResponseId, (await _saga.Client.GetResponseAsync(_saga.Ask(3), cancellationToken: Patience)).ResponseId);
    }

    [Fact]
    public async Task Streamed_or_whole_it_is_the_same_and_the_usage_comes_last()
    {
        ChatResponse whole = await _saga.Client.GetResponseAsync(_saga.Ask(2), cancellationToken: Patience);
        List<ChatResponseUpdate> updates = await _saga.Client.GetStreamingResponseAsync(_saga.Ask(2),
            cancellationToken: Patience).ToListAsync(Patience);
        Assert.Equal(whole.Text, string.Concat(updates.Select(update => update.Text)));
        Assert.True(updates.Count > 5, $"{updates.Count} updates");
        Assert.All(updates, update => Assert.Equal((ChatRole.Assistant, updates[0].ResponseId, updates[0].MessageId),
            (update.Role, update.ResponseId, update.MessageId)));
        Assert.All(updates.SkipLast(1), update => Assert.IsType<TextContent>(Assert.Single(update.Contents)));
        UsageDetails usage = Assert.IsType<UsageContent>(Assert.Single(updates[^1].Contents)).Details;
        Assert.Equal((whole.Usage!.InputTokenCount, whole.Usage.OutputTokenCount, ChatFinishReason.Stop),
            (usage.InputTokenCount, usage.OutputTokenCount, updates[^1].FinishReason));
    }

    [Fact]
    public async Task The_second_turn_finds_the_first_in_the_cache()
    {
        List<ChatMessage> chat = _saga.Ask(0);
        ChatResponse first = await _saga.Client.GetResponseAsync(chat, cancellationToken: Patience);
        chat.AddMessages(first);
        chat.Add(new ChatMessage(ChatRole.User, _saga.Question(1).Text));
        ChatResponse second = await _saga.Client.GetResponseAsync(chat, cancellationToken: Patience);
        Assert.Equal(_saga.Question(1).Answer, second.Text);
        Assert.Equal(0, first.Usage!.CachedInputTokenCount);
        Assert.InRange(second.Usage!.CachedInputTokenCount!.Value, first.Usage.InputTokenCount!.Value,
            second.Usage.InputTokenCount!.Value - 1);
        Assert.Equal(second.Usage.InputTokenCount + second.Usage.OutputTokenCount, second.Usage.TotalTokenCount);
        Assert.Equal(second.Usage.CachedInputTokenCount, second.Usage.AdditionalCounts!["kvasir.kv.device"]);
        Assert.Equal([0L, 0, 0], ((string[])["host", "disk", "remote"]).Select(tier => second.Usage.AdditionalCounts[$"kvasir.kv.{tier}"]));
    }

    [Fact]
    public async Task Sixteen_at_once_share_what_they_have_in_common()
    {
        ChatResponse[] responses = await Task.WhenAll(
            Enumerable.Range(0, 16).Select(fact => _saga.Client.GetResponseAsync(_saga.Ask(fact), cancellationToken: Patience)));
        using SagaChat alone = new();
        foreach ((int fact, ChatResponse response) in responses.Index().Where(pair => pair.Index % 5 == 0))
            Assert.Equal((await alone.Client.GetResponseAsync(alone.Ask(fact), cancellationToken: Patience)).Text, response.Text);
        long read = responses.Sum(response => response.Usage!.InputTokenCount!.Value),
            cached = responses.Sum(response => response.Usage!.CachedInputTokenCount!.Value);
        Assert.True(cached > read * 3 / 4, $"{cached} of {read} tokens were in the cache");
    }

    [Fact]
    public async Task Cancelling_ends_an_answer()
    {
        using CancellationTokenSource impatience = CancellationTokenSource.CreateLinkedTokenSource(Patience);
        int updates = 0;
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
        {
            await foreach (ChatResponseUpdate update in _saga.Client.GetStreamingResponseAsync(_saga.Ask(0),
                cancellationToken: impatience.Token))
            {
                updates++;
                await impatience.CancelAsync();
            }
        });
        Assert.True(updates > 0);
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _saga.Client.GetResponseAsync(_saga.Ask(0), cancellationToken: impatience.Token));
    }

    [Fact]
    public async Task Whoever_stops_reading_ends_the_answer()
    {
        ChatOptions endless = new() { ResponseFormat = ChatResponseFormat.Json };
        await foreach (ChatResponseUpdate update in _saga.Client.GetStreamingResponseAsync(_saga.Ask(0), endless, Patience))
            break;
        Assert.True(SpinWait.SpinUntil(() => _saga.Engine.Serving.Running == 0, TimeSpan.FromSeconds(20)));
    }

    [Fact]
    public void It_gives_away_what_it_stands_on()
    {
        IChatClient client = _saga.Client;
        Assert.Same(_saga.Engine, client.GetService<InferenceEngine>());
        Assert.Same(_saga.Engine.Cache, client.GetService<TieredKvCache>());
        Assert.Same(_saga.Engine.Model, client.GetService<LanguageModel>());
        Assert.Same(client, client.GetService<IChatClient>());
        Assert.Equal(("kvasir", "Kvasir Saga"),
            (client.GetService<ChatClientMetadata>()!.ProviderName, client.GetService<ChatClientMetadata>()!.DefaultModelId));
        Assert.Null(client.GetService<string>());
        Assert.Null(client.GetService<InferenceEngine>("key"));
    }

    [Fact]
    public async Task A_client_that_loaded_its_model_frees_it()
    {
        KvasirChatClient client = KvasirChatClient.Load(options: new EngineOptions { Context = 128 });
        Assert.NotEmpty((await client.GetResponseAsync("Who is there?", new() { MaxOutputTokens = 4 }, Patience)).Text);
        client.Dispose();
        client.Dispose();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => client.GetResponseAsync("Who is there?", cancellationToken: Patience));
    }

    [Fact]
    public async Task One_that_was_given_an_engine_leaves_it()
    {
        new KvasirChatClient(_saga.Engine).Dispose();
        Assert.NotEmpty((await _saga.Client.GetResponseAsync(_saga.Ask(0), cancellationToken: Patience)).Text);
    }
}
