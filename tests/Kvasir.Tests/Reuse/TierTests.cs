using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// Cached equals recomputed, bit for bit, from whichever tier the blocks come; and each time it is asserted that they did come from there.
/// </summary>
public sealed class TierTests : IDisposable
{
    const int Length = 203; // twelve full blocks and a tail

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    static int[] Prompt(int seed, int length = Length) =>
        [.. Enumerable.Range(0, length).Select(i => 260 + (i * 37 + seed * 101 + i / 16) % 700)];

    CachedEngine.Answer Fresh(int[] prompt)
    {
        using CachedEngine engine = new(_model, new EngineOptions { Context = 512, KvReuse = KvReuse.WithinSequence });
        return engine.Ask(prompt);
    }

    [Fact]
    public void The_second_sequence_finds_all_but_the_last_token_in_the_pool()
    {
        using CachedEngine engine = new(_model, new EngineOptions { Context = 512, Sequences = 2 });
        CachedEngine.Answer first = engine.Ask(Prompt(1)), second = engine.Ask(Prompt(1));
        Assert.Equal((Length, 0), (first.Computed, first.Use.Reused));
        Assert.Equal((1, Length - 1), (second.Computed, second.Use.Device));
        Assert.Empty(second.Use.Misses);
        second.AssertSameBits(Fresh(Prompt(1)), "from the pool");
    }

    [Theory]
    [InlineData(192)] // the last block is full: its last token is computed in a copy
    [InlineData(193)] // nothing but the last token is left
    [InlineData(16)]
    [InlineData(3)] // less than a block
    public void Prompts_that_end_at_the_edges_of_blocks_are_found_too(int length)
    {
        using CachedEngine engine = new(_model, new EngineOptions { Context = 512, Sequences = 2 });
        engine.Ask(Prompt(1, length));
        CachedEngine.Answer second = engine.Ask(Prompt(1, length));
        Assert.Equal((1, length - 1), (second.Computed, second.Use.Device));
        second.AssertSameBits(Fresh(Prompt(1, length)), $"{length} tokens");
    }

    [Fact]
    public void What_left_the_pool_comes_from_the_host()
    {
        using CachedEngine engine = new(_model, new EngineOptions { Context = 512, Sequences = 2, KvHostBytes = 64 << 20 });
        engine.Ask(Prompt(1));
        engine.Drop(Prompt(1), _ => true, deviceOnly: true);
        CachedEngine.Answer second = engine.Ask(Prompt(1));
        Assert.Equal((1, Length - 1), (second.Computed, second.Use.Host));
        Assert.Equal(13 * engine.Engine.Layout.BlockBytes, second.Use.RestoredBytes);
        second.AssertSameBits(Fresh(Prompt(1)), "from the host");
    }

    [Fact]
    public void A_new_process_finds_it_on_the_disk()
    {
        using (CachedEngine first = new(_model, CachedEngine.WithDisk(_folder["kv"])))
            first.Ask(Prompt(1));
        using CachedEngine second = new(_model, CachedEngine.WithDisk(_folder["kv"]));
        CachedEngine.Answer answer = second.Ask(Prompt(1));
        Assert.Equal((1, Length - 1), (answer.Computed, answer.Use.Disk));
        Assert.Equal(13 * second.Engine.Layout.BlockBytes, answer.Use.RestoredBytes);
        Assert.True(answer.Use.RestoreTime > TimeSpan.Zero);
        answer.AssertSameBits(Fresh(Prompt(1)), "from the disk");
    }

    [Fact]
    public void Blocks_admitted_at_their_second_use_are_not_written_at_the_first()
    {
        using CachedEngine engine = new(_model,
            new() { Context = 512, Sequences = 2, KvDisk = CachedEngine.Disk(_folder["kv"]) with { Admission = Admission.SecondUse } });
        engine.Ask(Prompt(1));
        engine.Flush();
        Assert.Equal(0, engine.Cache.Disk!.Blocks);
        engine.Ask(Prompt(1));
        engine.Flush();
        Assert.Equal(12, engine.Cache.Disk!.Blocks);
    }

    [Fact]
    public void A_prompt_that_diverges_within_a_block_takes_the_tokens_before_and_says_where()
    {
        using CachedEngine engine = new(_model, new EngineOptions { Context = 512, Sequences = 2 });
        engine.Ask(Prompt(1));
        int[] other = Prompt(1);
        other[100] = 999;
        CachedEngine.Answer answer = engine.Ask(other);
        Assert.Equal((Length - 100, 100), (answer.Computed, answer.Use.Device));
        Miss miss = Assert.Single(answer.Use.Misses);
        Assert.Equal((100, Length - 1, MissReason.Diverged, Prompt(1)[100], 999),
            (miss.From, miss.To, miss.Reason, miss.Expected, miss.Got));
        answer.AssertSameBits(Fresh(other), "diverged");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void The_same_salt_finds_another_does_not(bool onDisk)
    {
        EngineOptions options = onDisk ? CachedEngine.WithDisk(_folder["kv"]) : new EngineOptions { Context = 512, Sequences = 2 };
        using CachedEngine engine = new(_model, options);
        engine.Ask(Prompt(1), "alice");
        if (onDisk)
        {
            engine.Flush();
            foreach (var key in engine.Cache.Keys(Prompt(1), "alice"u8))
                engine.Cache.Device.TryDrop(key);
        }
        Assert.Equal(Length, engine.Ask(Prompt(1), "bob", leave: false).Computed);
        Assert.Equal(Length, engine.Ask(Prompt(1), leave: false).Computed);
        CachedEngine.Answer hit = engine.Ask(Prompt(1), "alice");
        Assert.Equal(1, hit.Computed);
        Assert.Equal(Length - 1, onDisk ? hit.Use.Disk : hit.Use.Device);
    }

    [Fact]
    public void Another_model_does_not_find_it_and_is_told_so()
    {
        using (CachedEngine first = new(_model, CachedEngine.WithDisk(_folder["kv"])))
            first.Ask(Prompt(1));
        string changed = _folder["changed.gguf"];
        byte[] bytes = File.ReadAllBytes(SagaModel.Path);
        bytes[^100] ^= 1; // one bit of one weight
        File.WriteAllBytes(changed, bytes);
        File.Copy(SagaModel.Path, _folder["renamed.gguf"]);
        using LanguageModel other = LanguageModel.Load(changed), renamed = LanguageModel.Load(_folder["renamed.gguf"]);
        using (CachedEngine engine = new(other, CachedEngine.WithDisk(_folder["kv"])))
        {
            CachedEngine.Answer answer = engine.Ask(Prompt(1));
            Assert.Equal(Length, answer.Computed);
            Miss miss = Assert.Single(answer.Use.Misses);
            Assert.True(miss.Reason == MissReason.OtherModel, miss.ToString());
        }
        using CachedEngine same = new(renamed, CachedEngine.WithDisk(_folder["kv"]));
        Assert.Equal(1, same.Ask(Prompt(1)).Computed);
    }

    [Fact]
    public void An_evicted_block_is_missed_with_its_tier_and_time()
    {
        using CachedEngine engine = new(_model, new EngineOptions { Context = 512, Sequences = 2 });
        engine.Ask(Prompt(1));
        engine.Drop(Prompt(1), block => block >= 5);
        Miss miss = Assert.Single(engine.Ask(Prompt(1)).Use.Misses);
        Assert.Equal((5 * 16, Length - 1, MissReason.Evicted, Tier.Device), (miss.From, miss.To, miss.Reason, miss.Tier));
        Assert.NotNull(miss.When);
    }

    [Fact]
    public async Task A_lookup_touches_nothing_and_tells_the_same()
    {
        using CachedEngine engine = new(_model, CachedEngine.WithDisk(_folder["kv"]));
        engine.Ask(Prompt(1));
        engine.Flush();
        engine.Drop(Prompt(1), block => block == 3);
        PrefixLookup lookup = await engine.Cache.Lookup(Prompt(1));
        Assert.Equal([new PrefixSpan(0, 48, Tier.Device), new PrefixSpan(48, 64, Tier.Disk), new PrefixSpan(64, 202, Tier.Device),
            new PrefixSpan(202, 203, null)], lookup.Spans());
        Assert.Empty(lookup.Misses);
        Assert.False(engine.Cache.Device.Contains(engine.Cache.Keys(Prompt(1))[3]));
    }
}
