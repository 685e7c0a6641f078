using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.KvCache.Tiers;

namespace Kvasir.Tests.Reuse;

/// <summary>A store far away: nobody waits for it longer than computing takes, and what it has is used as soon as it says so.</summary>
public sealed class FarTierTests : IDisposable
{
    const int PromptTokens = 1000;
    static readonly TimeSpan s_long = TimeSpan.FromMinutes(5);

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TaskCompletionSource _answers = new(TaskCreationOptions.RunContinuationsAsynchronously);
    FakeTier? _store;

    public void Dispose() => _model.Dispose();

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    static int[] Prompt(int kind) => [.. Enumerable.Range(0, PromptTokens).Select(i => 260 + (i * 31 + kind * 97) % 700)];

    InferenceEngine NewEngine() => new(_model, new EngineOptions
    {
        Context = 1024, PrefillChunk = 64, KvFurtherTiers = [(layout, _) => _store ??= new FakeTier(layout)], KvLookupDeadline = s_long,
    });

    /// <summary>An engine that computes in short steps, as it believes slowly, and whose store has what another has computed.</summary>
    async Task<(InferenceEngine Engine, GenerationResult Computed)> Engine(double tokensPerSecond)
    {
        GenerationResult computed;
        using (InferenceEngine other = NewEngine())
        {
            computed = await Ask(other, null);
            other.Cache.Flush(TimeSpan.FromSeconds(20));
        }
        InferenceEngine engine = NewEngine();
        engine.Cache.Costs.Computed(1_000_000, TimeSpan.FromSeconds(1_000_000 / tokensPerSecond));
        engine.Cache.Costs.IsFrozen = true;
        _store!.IsFar = true;
        return (engine, computed);
    }

    static Task<GenerationResult> Ask(InferenceEngine engine, IProgress<PrefillProgress>? progress) => engine.Start(Prompt(1),
        new GenerationOptions { MaxTokens = 4, IgnoresEnds = true, Progress = progress }, cancellation: Patience).Result;

    [Fact]
    public async Task What_is_found_while_computing_is_used_from_there_on()
    {
        (InferenceEngine engine, GenerationResult computed) = await Engine(tokensPerSecond: 1000);
        using (engine)
        {
            _store!.Hangs = _answers.Task;
            GenerationResult late = await Ask(engine, new Immediate(progress =>
            {
                if (progress.Done >= 256 && _answers.TrySetResult())
                    SpinWait.SpinUntil(() => false, TimeSpan.FromMilliseconds(200)); // the answer is on its way, past other threads
            }));
            Assert.Equal(computed.TokenIds, late.TokenIds);
            Assert.InRange(late.Kv.Remote, 64, PromptTokens - 256);
            Assert.Equal(PromptTokens, late.Kv.Reused + late.ComputedTokens);
            Miss[] misses = [.. late.Kv.Misses];
            Assert.Equal((0, MissReason.TooLate, Tier.Remote), (misses[0].From, misses[0].Reason, misses[0].Tier!.Value));
        }
    }

    [Fact]
    public async Task Who_never_answers_keeps_nobody()
    {
        (InferenceEngine engine, GenerationResult computed) = await Engine(tokensPerSecond: 1000);
        using (engine)
        {
            _store!.Hangs = _answers.Task;
            GenerationResult alone = await Ask(engine, null);
            Assert.Equal(computed.TokenIds, alone.TokenIds);
            Assert.Equal((PromptTokens, 0), (alone.ComputedTokens, alone.Kv.Remote));
            Assert.InRange(alone.LookupTime, TimeSpan.FromMilliseconds(45), TimeSpan.FromSeconds(20)); // 5 % of computing
            Assert.All(alone.Kv.Misses, miss => Assert.Equal(MissReason.TooLate, miss.Reason));
            _answers.SetResult();
        }
    }

    [Fact]
    public async Task Who_answers_in_time_is_waited_for()
    {
        (InferenceEngine engine, _) = await Engine(tokensPerSecond: 1);
        using (engine)
        {
            _store!.Hangs = Task.Delay(50, Patience);
            GenerationResult found = await Ask(engine, null);
            Assert.Equal(PromptTokens / 16 * 16, found.Kv.Remote);
        }
    }

    [Fact]
    public void Who_is_passed_over_is_asked_again_some_time_and_stays_as_far_as_it_was()
    {
        TransferCosts costs = new();
        costs.Computed(1000, TimeSpan.FromSeconds(1));
        costs.Answered(Tier.Remote, TimeSpan.FromSeconds(0.5));
        Assert.False(costs.IsWorthAsking(Tier.Remote, 0));
        Assert.True(costs.IsWorthAsking(Tier.Remote, 1001));
        int passedOver = 0;
        while (!costs.IsWorthAsking(Tier.Remote, 500))
            passedOver++;
        Assert.InRange(passedOver, 2, 20);
        Assert.False(costs.IsWorthAsking(Tier.Remote, 500)); // it was just asked
        Assert.Equal(TimeSpan.FromSeconds(0.5), costs.Latency(Tier.Remote));
        Assert.False(costs.LoadIsCheaper(Tier.Remote, 1, 400));
        Assert.True(costs.LoadIsCheaper(Tier.Remote, 1, 600));
    }

    sealed class Immediate(Action<PrefillProgress> report) : IProgress<PrefillProgress>
    {
        public void Report(PrefillProgress value) => report(value);
    }
}
