using System.Diagnostics;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>Nobody waits for a disk at the beginning or the end: not for one that is slow, and not for one that never answers.</summary>
public sealed class ClosingTests : IDisposable
{
    static readonly TimeSpan s_deadline = TimeSpan.FromMilliseconds(300), s_busyMachine = TimeSpan.FromSeconds(5);

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();
    readonly ManualResetEventSlim _goesOn = new(initialState: true);
    volatile string _stuck = "";
    volatile int _slow;

    public void Dispose()
    {
        _goesOn.Set();
        _model.Dispose();
    }

    static int[] Prompt(int seed = 1) => [.. Enumerable.Range(0, 200).Select(i => 260 + (i * 37 + seed * 101 + i / 16) % 700)];

    EngineOptions Options() => new()
    {
        Context = 512, Sequences = 2, KvCloseDeadline = s_deadline, KvDisk = CachedEngine.Disk(_folder["kv"]) with
        {
            FaultPoint = step =>
            {
                if (step == _stuck)
                    _goesOn.Wait();
                if (step == "query" && _slow > 0)
                    Thread.Sleep(_slow);
            },
        },
    };

    CachedEngine.Answer Fresh()
    {
        using CachedEngine engine = new(_model, Options() with { KvReuse = KvReuse.WithinSequence });
        return engine.Ask(Prompt());
    }

    static TimeSpan Time(Action action)
    {
        long start = Stopwatch.GetTimestamp();
        action();
        return Stopwatch.GetElapsedTime(start);
    }

    [Theory, InlineData("begin"), InlineData("some data"), InlineData("flushed"), InlineData("rows"), InlineData("query")]
    public void A_write_that_never_ends_does_not_keep_the_engine_from_ending(string step)
    {
        CachedEngine.Answer expected = Fresh();
        CachedEngine engine = new(_model, Options());
        _goesOn.Reset();
        _stuck = step;
        try
        {
            engine.Ask(Prompt()).AssertSameBits(expected, step);
            Assert.InRange(Time(engine.Engine.Dispose), TimeSpan.Zero, s_deadline + s_busyMachine);
            Assert.InRange(engine.Cache.Unfinished ?? 0, 1, 100);
        }
        finally
        {
            _goesOn.Set();
        }
        _stuck = "";
        using CachedEngine again = new(_model, Options());
        again.Ask(Prompt()).AssertSameBits(expected, "after an end in the middle");
    }

    [Fact]
    public void Much_to_write_down_in_a_slow_catalogue_does_not_keep_the_engine_from_ending()
    {
        CachedEngine engine = new(_model, Options());
        for (int seed = 1; seed < 8; seed++)
            engine.Ask(Prompt(seed));
        engine.Flush();
        _slow = 50; // a query
        for (int seed = 1; seed < 8; seed++)
            engine.Ask(Prompt(seed));
        Assert.InRange(Time(engine.Engine.Dispose), TimeSpan.Zero, s_deadline + s_busyMachine);
    }

    [Fact]
    public void What_ends_in_time_says_nothing()
    {
        CachedEngine engine = new(_model, Options() with { KvCloseDeadline = TimeSpan.FromSeconds(60) });
        engine.Ask(Prompt());
        engine.Dispose();
        Assert.Null(engine.Cache.Unfinished);
        using CachedEngine again = new(_model, Options());
        Assert.Equal(199, again.Ask(Prompt()).Use.Disk);
    }

    [Fact]
    public void A_catalogue_that_takes_long_to_open_holds_no_answer_up_and_is_found_later()
    {
        CachedEngine.Answer expected = Fresh();
        using (CachedEngine engine = new(_model, Options() with { KvCloseDeadline = TimeSpan.FromSeconds(60) }))
            engine.Ask(Prompt());
        _goesOn.Reset();
        _stuck = "query";
        CachedEngine? late = null;
        TimeSpan loading = Time(() => late = new CachedEngine(_model, Options() with { KvLookupDeadline = s_deadline }));
        Assert.InRange(loading, TimeSpan.Zero, s_deadline + s_busyMachine);
        Assert.Contains("takes long to open", late!.Cache.Problem, StringComparison.Ordinal);
        CachedEngine.Answer answer = late.Ask(Prompt());
        answer.AssertSameBits(expected, "while it opens");
        Assert.All(answer.Use.Misses, miss => Assert.Equal((MissReason.TooLate, Tier.Disk), (miss.Reason, miss.Tier)));
        _goesOn.Set();
        ITier tier = Assert.Single(late.Cache.Tiers, tier => tier.Tier == Tier.Disk);
        Assert.True(SpinWait.SpinUntil(() => tier.Problem is null, s_busyMachine), tier.Problem);
        late.Drop(Prompt(), _ => true);
        CachedEngine.Answer again = late.Ask(Prompt());
        again.AssertSameBits(expected, "after it has opened");
        Assert.Equal(199, again.Use.Disk);
        late.Dispose();
    }

    [Fact]
    public void A_directory_that_never_opens_lets_the_engine_end()
    {
        _goesOn.Reset();
        _stuck = "query";
        CachedEngine engine = new(_model, Options() with { KvLookupDeadline = s_deadline });
        engine.Ask(Prompt());
        Assert.InRange(Time(engine.Engine.Dispose), TimeSpan.Zero, s_deadline + s_busyMachine);
    }

    [Fact]
    public async Task Why_something_is_missing_is_told_without_waiting_for_a_tier_that_does_not_answer()
    {
        using CachedEngine engine = new(_model, Options());
        engine.Ask(Prompt());
        engine.Flush();
        PrefixLookup lookup = await engine.Cache.Lookup(Prompt(3));
        _goesOn.Reset();
        _stuck = "query";
        Assert.InRange(Time(() => Assert.NotEmpty(lookup.Misses)), TimeSpan.Zero, s_busyMachine);
        _goesOn.Set();
    }
}
