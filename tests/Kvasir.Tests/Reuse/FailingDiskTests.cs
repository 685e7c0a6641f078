using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// A slow or broken disk costs what it would have saved, and nothing else: the answer is the same, and why it took longer is said.
/// </summary>
public sealed class FailingDiskTests : IDisposable
{
    const int Length = 200;

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();
    volatile Action _onRead = () => { };

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    static int[] Prompt(int seed = 1) => [.. Enumerable.Range(0, Length).Select(i => 260 + (i * 37 + seed * 101 + i / 16) % 700)];

    EngineOptions Options() => new()
    {
        Context = 512, Sequences = 2, KvDisk = CachedEngine.Disk(_folder["kv"]) with
        {
            FaultPoint = step =>
            {
                if (step == "read")
                    _onRead();
            }
        },
    };

    CachedEngine.Answer Fresh()
    {
        using CachedEngine engine = new(_model, Options() with { KvReuse = KvReuse.WithinSequence });
        return engine.Ask(Prompt());
    }

    CachedEngine Filled()
    {
        var engine = new CachedEngine(_model, Options(), learns: true);
        engine.Ask(Prompt());
        engine.Ask(Prompt(2)); // the speed of prefill is known
        engine.Flush();
        engine.Drop(Prompt(), _ => true);
        return engine;
    }

    /// <summary>Computing counts as slow from here on.</summary>
    static void Patient(CachedEngine engine)
    {
        for (int i = 0; i < 20; i++)
            engine.Cache.Costs.Computed(1000, TimeSpan.FromHours(1));
        engine.Cache.Costs.IsFrozen = true;
    }

    [Fact]
    public void Blocks_that_come_too_late_become_holes()
    {
        CachedEngine.Answer expected = Fresh();
        using CachedEngine engine = Filled();
        using var gate = new ManualResetEventSlim();
        _onRead = gate.Wait; // nothing comes until the answer is there
        CachedEngine.Answer answer = engine.Ask(Prompt());
        gate.Set();
        Assert.Equal((Length, 0), (answer.Computed, answer.Use.Reused));
        Assert.All(answer.Use.Misses, miss => Assert.Equal((MissReason.TooLate, Tier.Disk), (miss.Reason, miss.Tier)));
        Assert.Equal(Length - 1, answer.Use.Misses.Sum(miss => miss.To - miss.From));
        answer.AssertSameBits(expected, "too late");
    }

    [Fact]
    public void A_disk_that_fails_all_the_time_is_left_alone_for_a_while()
    {
        var time = new ManualClock();
        using CachedEngine engine = new(_model, Options() with { KvDisk = Options().KvDisk! with { Time = time } });
        engine.Ask(Prompt());
        engine.Flush();
        int reads = 0;
        _onRead = () =>
        {
            Interlocked.Increment(ref reads);
            throw new IOException("Input/output error");
        };
        Ask();
        Assert.InRange(reads, 8, 13); // each block once
        Assert.Contains("left alone for a while", engine.Cache.Problem, StringComparison.Ordinal);
        engine.Flush();
        int before = reads;
        Ask(); // what was lost has been written again, but is not asked for
        Assert.Equal(before, reads);
        time.Now += TimeSpan.FromSeconds(6);
        _onRead = () => { };
        engine.Drop(Prompt(), _ => true);
        Assert.Equal(Length - 1, engine.Ask(Prompt()).Use.Disk);

        void Ask()
        {
            engine.Drop(Prompt(), _ => true);
            CachedEngine.Answer answer = engine.Ask(Prompt());
            Assert.Equal((Length, 0), (answer.Computed, answer.Use.Reused));
        }
    }

    sealed class ManualClock : TimeProvider
    {
        public TimeSpan Now { get; set; } = TimeSpan.FromDays(1);

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    [Fact]
    public void A_disk_that_fails_now_and_then_leaves_holes()
    {
        using CachedEngine engine = Filled();
        Patient(engine);
        int reads = 0;
        _onRead = () =>
        {
            if (Interlocked.Increment(ref reads) % 3 == 0)
                throw new IOException("Input/output error");
        };
        CachedEngine.Answer answer = engine.Ask(Prompt());
        int failed = answer.Use.Misses.Count(miss => miss is { Reason: MissReason.LoadFailed, Tier: Tier.Disk, Detail: "io_error" });
        Assert.InRange(failed, 3, 6);
        Assert.Equal(Length, answer.Computed + answer.Use.Reused);
        Assert.InRange(answer.Computed, 2, Length - 1);
        answer.AssertSameBits(Fresh(), "some reads failed");
    }

    [Fact]
    public void Two_sequences_that_want_the_same_block_load_it_once()
    {
        using CachedEngine engine = Filled();
        Patient(engine);
        int reads = 0;
        _onRead = () =>
        {
            Interlocked.Increment(ref reads);
            Thread.Sleep(5);
        };
        CachedEngine.Answer[] answers = [.. new int[2].AsParallel().WithDegreeOfParallelism(2).Select(_ =>
        {
            lock (engine.Engine) // an engine's forward passes take turns; waiting for the disk is part of one
                return engine.Ask(Prompt());
        })];
        Assert.Equal(13, reads); // each block once, tail included
        Assert.All(answers, answer => Assert.Equal(1, answer.Computed));
    }

    [Fact]
    public void Loading_is_chosen_while_it_is_cheaper_and_a_tier_gets_another_chance()
    {
        var costs = new TransferCosts();
        Assert.True(costs.LoadIsCheaper(Tier.Disk, 1 << 30, 1)); // nothing is known: it has to be tried
        Assert.Equal(TimeSpan.MaxValue, costs.ComputeTime(10));
        costs.Computed(1000, TimeSpan.FromSeconds(1));
        costs.Loaded(Tier.Disk, 100_000_000, TimeSpan.FromSeconds(1));
        Assert.Equal(TimeSpan.FromSeconds(0.5), costs.ComputeTime(500));
        Assert.True(costs.LoadIsCheaper(Tier.Disk, 10_000_000, 101)); // 100 ms of loading, 101 of computing
        Assert.False(costs.LoadIsCheaper(Tier.Disk, 10_000_000, 80));
        Assert.True(Enumerable.Range(0, 5).Any(_ => costs.LoadIsCheaper(Tier.Disk, 10_000_000, 80)), "it is never measured again");
    }

    [Fact]
    public void What_is_cheaper_to_compute_is_computed_and_said_to_be()
    {
        using CachedEngine engine = Filled();
        engine.Cache.Costs.Loaded(Tier.Disk, 1L << 40, TimeSpan.FromDays(30)); // a very slow disk
        CachedEngine.Answer answer = engine.Ask(Prompt());
        Assert.Contains(answer.Use.Misses, miss => miss is { Reason: MissReason.ComputeCheaper, Tier: Tier.Disk });
        Assert.True(answer.Computed >= 192);
        Assert.Equal(Length, answer.Computed + answer.Use.Reused);
        answer.AssertSameBits(Fresh(), "cheaper");
    }
}
