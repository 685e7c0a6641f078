using System.Collections.Concurrent;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.KvCache.Tiers;

namespace Kvasir.Tests.Scheduling;

/// <summary>Whoever arrives is looked up while others compute: a tier that takes its time takes nobody else's.</summary>
public sealed class ArrivalTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TaskCompletionSource _answers = new(TaskCreationOptions.RunContinuationsAsynchronously);
    FakeTier _store = null!;

    public void Dispose() => _model.Dispose();

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    static int[] Prompt(int length, int kind) => [.. Enumerable.Range(0, length).Select(i => 260 + (i * 31 + kind * 97) % 700)];

    InferenceEngine Engine(TimeSpan deadline) => new(_model, new EngineOptions
    {
        Context = 1024, Sequences = 20, KvFurtherTiers = [(layout, _) => _store = new FakeTier(layout)], KvLookupDeadline = deadline,
    });

    static async Task Read(Completion completion, int tokens)
    {
        for (int read = 0; read < tokens; read++)
            Assert.NotEqual(default, await completion.Pieces.ReadAsync(Patience));
    }

    [Fact]
    public async Task Steps_go_on_while_a_lookup_hangs_and_what_it_finds_in_the_end_is_used()
    {
        using InferenceEngine engine = Engine(TimeSpan.FromMinutes(5));
        engine.Cache.Costs.Computed(1, TimeSpan.FromSeconds(10)); // computing counts as slow, so that what is found is loaded
        engine.Cache.Costs.IsFrozen = true;
        GenerationOptions one = new() { MaxTokens = 1 };
        await engine.Start(Prompt(200, 1), one, cancellation: Patience).Result;
        engine.Cache.Flush(TimeSpan.FromSeconds(20));
        engine.Cache.Evict(engine.Cache.Keys(Prompt(200, 1)).ToArray(), Tier.Device);
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Patience);
        Completion[] chats = [.. Enumerable.Range(0, 16).Select(chat =>
            engine.Start(Prompt(20, chat + 5), new GenerationOptions { IgnoresEnds = true, MaxTokens = 1000 }, cancellation: over.Token))];
        foreach (Completion chat in chats)
            await Read(chat, 1); // they have arrived

        _store.Hangs = _answers.Task;
        Completion newcomer = engine.Start(Prompt(200, 1), one, cancellation: Patience);
        long before = engine.Serving.Steps;
        Assert.True(SpinWait.SpinUntil(() => engine.Serving.Steps >= before + 40, TimeSpan.FromSeconds(60)),
            $"{engine.Serving.Steps - before} steps while the lookup hung");
        Assert.Equal((17, 0), (engine.Serving.Running, engine.Serving.Waiting));
        Assert.False(newcomer.Result.IsCompleted);
        _answers.SetResult();
        GenerationResult result = await newcomer.Result;
        Assert.Equal(192, result.Kv.Remote);
        Assert.Equal(200 - 192, result.ComputedTokens);
        await over.CancelAsync();
        await Task.WhenAll(chats.Select(chat => chat.Result));
    }

    [Fact]
    public async Task Who_comes_later_does_not_wait_for_a_lookup_that_hangs()
    {
        using InferenceEngine engine = Engine(TimeSpan.FromMinutes(5));
        _store.Hangs = _answers.Task;
        Completion first = engine.Start(Prompt(200, 1), new GenerationOptions { MaxTokens = 1 }, cancellation: Patience);
        SpinWait.SpinUntil(() => Volatile.Read(ref _store.Lookups) == 1, TimeSpan.FromSeconds(20));
        _store.Hangs = null;
        GenerationResult second = await engine.Start(Prompt(100, 2),
            new GenerationOptions { MaxTokens = 3, IgnoresEnds = true }, cancellation: Patience).Result;
        Assert.Equal(3, second.TokenIds.Count);
        Assert.False(first.Result.IsCompleted);
        _answers.SetResult();
        Assert.Single((await first.Result).TokenIds);
    }

    [Fact]
    public async Task A_lookup_that_does_not_end_is_a_miss_that_says_so()
    {
        using InferenceEngine engine = Engine(TimeSpan.FromMilliseconds(50));
        _store.Hangs = _answers.Task;
        GenerationResult result = await engine.Start(Prompt(200, 1),
            new GenerationOptions { MaxTokens = 1 }, cancellation: Patience).Result;
        Assert.Equal(200, result.ComputedTokens);
        Miss miss = Assert.Single(result.Kv.Misses);
        Assert.Equal((0, 199, MissReason.TooLate, Tier.Remote), (miss.From, miss.To, miss.Reason, miss.Tier!.Value));
        Assert.InRange(result.LookupTime, TimeSpan.FromMilliseconds(45), TimeSpan.FromSeconds(20));
    }

    [Fact]
    public async Task Who_is_cancelled_while_arriving_leaves_nothing_behind()
    {
        using InferenceEngine engine = Engine(TimeSpan.FromMinutes(5));
        _store.Hangs = _answers.Task;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Patience);
        Completion leaver = engine.Start(Prompt(200, 1), new GenerationOptions { MaxTokens = 1 }, cancellation: over.Token);
        SpinWait.SpinUntil(() => Volatile.Read(ref _store.Lookups) == 1, TimeSpan.FromSeconds(20));
        await over.CancelAsync();
        Assert.Equal(FinishReason.Cancelled, (await leaver.Result.WaitAsync(TimeSpan.FromSeconds(20), Patience)).FinishReason);
        PoolCounts counts = engine.Cache.Device.CheckConservation();
        Assert.Equal((0, 0, 0), (counts.Leased, counts.InFlight, engine.Serving.Running));
        _answers.SetResult();
    }

    [Fact]
    public async Task The_disk_is_asked_on_no_thread_of_the_pool_which_hands_out_tokens()
    {
        using TemporaryFolder folder = new();
        ConcurrentBag<bool> asked = [];
        bool begun = false;
        using InferenceEngine engine = new(_model, new EngineOptions
        {
            Context = 1024,
            KvDisk = new DiskTierOptions
            {
                Folder = folder["kv"], MaxBytes = 64 << 20, KeepFreeBytes = 0,
                FaultPoint = step =>
                {
                    if (step == "query" && Volatile.Read(ref begun))
                        asked.Add(Thread.CurrentThread.IsThreadPoolThread);
                },
            },
        });
        engine.Cache.Flush(TimeSpan.FromSeconds(20));
        Volatile.Write(ref begun, true);
        GenerationOptions one = new() { MaxTokens = 1 };
        for (int kind = 0; kind < 3; kind++)
            await engine.Start([.. Prompt(100, 1), .. Prompt(100, kind + 2)], one, cancellation: Patience).Result;
        Assert.True(engine.Cache.Flush(TimeSpan.FromSeconds(20)));
        Assert.NotEmpty(asked);
        Assert.DoesNotContain(true, asked);
    }
}
