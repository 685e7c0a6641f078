using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Archive;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.Tests.KvCache.Tiers;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// A tier that the cache knows nothing of but what every tier does: it is found, loaded, written, listed, exported,
/// blamed and evicted like the others.
/// </summary>
public sealed class ThirdTierTests : IDisposable
{
    const int Length = 203; // 12 blocks and 11 tokens

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    FakeTier _store = null!;

    public void Dispose() => _model.Dispose();

    static int[] Prompt(int kind = 1) => [.. Enumerable.Range(0, Length).Select(i => 260 + (i * 31 + kind * 97) % 700)];

    CachedEngine Engine(EngineOptions? options = null) =>
        new(_model,
            (options ?? new EngineOptions { Context = 512 }) with { KvFurtherTiers = [(layout, _) => _store ??= new FakeTier(layout)] });

    CachedEngine Filled(EngineOptions? options = null)
    {
        CachedEngine engine = Engine(options);
        engine.Ask(Prompt(), leave: false);
        engine.Flush();
        return engine;
    }

    CachedEngine.Answer Fresh()
    {
        using CachedEngine engine = new(_model, new EngineOptions { Context = 512 });
        return engine.Ask(Prompt());
    }

    [Fact]
    public void What_it_has_comes_back_bit_for_bit_and_is_told()
    {
        using CachedEngine engine = Filled();
        Assert.Equal(12, _store.Count);
        engine.Drop(Prompt(), _ => true);
        CachedEngine.Answer answer = engine.Ask(Prompt());
        answer.AssertSameBits(Fresh(), "from the third tier");
        Assert.Equal((192, 11), (answer.Use.Remote, answer.Computed));
        Assert.Equal(192 / 16 * engine.Cache.Layout.BlockBytes, answer.Use.RestoredBytes);
        Assert.Equal(answer.Use.RestoredBytes, engine.Cache.Traffic[Tier.Remote, Tier.Device].Bytes);
        Assert.Equal([new CacheSpan(0, 192, Tier.Remote), new CacheSpan(192, Length, null)], answer.Use.Spans);
    }

    [Fact]
    public async Task It_stands_in_lookups_lists_and_archives()
    {
        using CachedEngine engine = Filled();
        engine.Drop(Prompt(), block => block >= 2);
        PrefixLookup lookup = await engine.Cache.Lookup(Prompt());
        Assert.Equal((32, 160), (lookup.TokensIn(Tier.Device), lookup.TokensIn(Tier.Remote)));
        Assert.Equal(2, engine.Cache.Blocks(100).Count(block => block.Tiers.SequenceEqual([Tier.Device, Tier.Remote])));
        Assert.Equal(10, engine.Cache.Blocks(100).Count(block => block.Tiers.SequenceEqual([Tier.Remote])));
        using MemoryStream archive = new();
        IReadOnlyList<BlockKey> keys = engine.Cache.Keys(Prompt());
        Assert.Equal(12, await KvArchive.Write(engine.Cache, keys, archive, TestContext.Current.CancellationToken));
        Assert.Equal((12, 0), engine.Cache.Evict(keys.Take(12).ToArray(), Tier.Remote));
        Assert.Equal(0, _store.Count);
    }

    [Fact]
    public void When_it_fails_there_are_holes_and_it_is_blamed()
    {
        using CachedEngine engine = Filled();
        engine.Drop(Prompt(), _ => true);
        _store.Outcome = ReadOutcome.IoError;
        CachedEngine.Answer answer = engine.Ask(Prompt());
        answer.AssertSameBits(Fresh(), "computed after all");
        Assert.Equal((0, Length), (answer.Use.Reused, answer.Computed));
        Miss[] failed =
            [.. answer.Use.Misses.Where(miss => miss is { Reason: MissReason.LoadFailed, Tier: Tier.Remote, Detail: "io_error" })];
        Assert.Equal((12, 192), (failed.Length, failed.Sum(miss => miss.To - miss.From)));
        Assert.Equal([(192, Length - 1, MissReason.BelowBlockSize)],
            answer.Use.Misses.Except(failed).Select(miss => (miss.From, miss.To, miss.Reason)));
    }

    [Fact]
    public void When_it_hangs_it_is_too_late_and_after_a_while_nobody_waits_any_more()
    {
        using CachedEngine engine = Filled(new EngineOptions { Context = 512, KvLookupDeadline = TimeSpan.FromMilliseconds(20) });
        engine.Drop(Prompt(), _ => true);
        _store.Hangs = new TaskCompletionSource().Task;
        int before = _store.Lookups;
        for (int round = 0; round < 12; round++)
        {
            CachedEngine.Answer answer = engine.Ask(Prompt(round + 2), leave: false);
            Assert.Equal(Length, answer.Computed);
            Assert.Equal((MissReason.TooLate, Tier.Remote),
                answer.Use.Misses.Select(miss => (miss.Reason, miss.Tier!.Value)).Distinct().Single());
            Assert.Equal(Length - 1, answer.Use.Misses.Sum(miss => miss.To - miss.From));
        }
        Assert.Equal(8, _store.Lookups - before); // then it is left alone
    }

    [Fact]
    public void It_ends_with_the_cache()
    {
        using (CachedEngine engine = Filled())
            Assert.False(_store.IsDisposed);
        Assert.True(_store.IsDisposed);
    }
}
