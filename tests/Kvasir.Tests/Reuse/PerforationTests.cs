using CsCheck;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// Any blocks of a prompt may be missing: exactly their tokens are computed, at their positions, and those after a hole are used as they
/// are. Logits, keys and values are bitwise what they are without any cache.
/// </summary>
public sealed class PerforationTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    static int[] Prompt(int length) => [.. Enumerable.Range(0, length).Select(i => 260 + (i * 53 + i / 16) % 700)];

    CachedEngine.Answer Fresh(int[] prompt)
    {
        using CachedEngine engine = new(_model, new EngineOptions { Context = 2048, KvReuse = KvReuse.WithinSequence });
        return engine.Ask(prompt);
    }

    [Fact]
    public void Every_subset_of_holes_of_a_short_prompt_is_filled_exactly()
    {
        const int blocks = 6;
        int[] prompt = Prompt(blocks * 16 + 5);
        CachedEngine.Answer expected = Fresh(prompt);
        // chunks across holes
        using CachedEngine engine = new(_model, new EngineOptions { Context = 128, Sequences = 2, PrefillChunk = 24 });
        engine.Ask(prompt);
        for (int holes = 0; holes < 1 << (blocks + 1); holes++) // the last is the tail
        {
            engine.Drop(prompt, block => (holes >> block & 1) != 0);
            CachedEngine.Answer answer = engine.Ask(prompt);
            int lost = Enumerable.Range(0, blocks + 1).Sum(block => (holes >> block & 1) * (block < blocks ? 16 : 4)) + 1;
            Assert.Equal((lost, prompt.Length - lost), (answer.Computed, answer.Use.Device));
            Assert.Equal(lost - 1, answer.Use.Misses.Sum(miss => miss.To - miss.From));
            answer.AssertSameBits(expected, $"holes {holes:b7}");
        }
    }

    public static TheoryData<string> Families => [.. TinyModel.Families.Keys];

    [Theory, MemberData(nameof(Families))]
    public void Holes_of_every_family_are_filled_exactly(string name)
    {
        const int blocks = 3;
        int[] prompt = [.. Enumerable.Range(0, blocks * 16 + 5).Select(i => (i * 53 + i / 16) % 250)];
        using LanguageModel model = LanguageModel.Load(TinyModel.Families[name].WriteTo(_folder["tiny.gguf"]));
        var options = new EngineOptions { Context = 128, Sequences = 2, PrefillChunk = 24 };
        CachedEngine.Answer expected;
        using (CachedEngine fresh = new(model, options with { KvReuse = KvReuse.WithinSequence }))
            expected = fresh.Ask(prompt);
        using CachedEngine engine = new(model, options);
        engine.Ask(prompt);
        for (int holes = 0; holes < 1 << (blocks + 1); holes++)
        {
            engine.Drop(prompt, block => (holes >> block & 1) != 0);
            CachedEngine.Answer answer = engine.Ask(prompt);
            answer.AssertSameBits(expected, $"{name}, holes {holes:b4}");
            int lost = Enumerable.Range(0, blocks + 1).Sum(block => (holes >> block & 1) * (block < blocks ? 16 : 4)) + 1;
            Assert.Equal(lost, answer.Computed);
        }
    }

    [Fact]
    public void Random_holes_of_a_long_prompt_over_three_tiers_are_filled_exactly()
    {
        const int blocks = 60;
        int[] prompt = Prompt(blocks * 16 + 7);
        CachedEngine.Answer expected = Fresh(prompt);
        using CachedEngine engine = new(_model,
            new EngineOptions { Context = 1024, Sequences = 2, KvHostBytes = 64 << 20, KvDisk = CachedEngine.Disk(_folder["kv"]) });
        engine.Ask(prompt);
        engine.Flush();
        IReadOnlyList<BlockKey> keys = engine.Cache.Keys(prompt);
        Gen.Int[0, 3].Array[blocks].Sample(places =>
        {
            for (int block = 0; block < blocks; block++)
            {
                if (places[block] >= 1)
                    engine.Cache.Device.TryDrop(keys[block]);
                if (places[block] >= 2)
                    engine.Cache.Host!.TryDrop(keys[block]);
                if (places[block] == 3 && engine.Cache.Disk!.TryFind(keys[block], out int slot))
                    engine.Cache.Disk!.Discard(slot, keys[block], Kvasir.KvCache.Blocks.ReadOutcome.Gone);
            }
            int lost = keys.Take(blocks).Count(
                key => !engine.Cache.Device.Contains(key) && !engine.Cache.Host!.Contains(key) && !engine.Cache.Disk!.TryFind(key, out _));
            CachedEngine.Answer answer = engine.Ask(prompt);
            Assert.Equal(lost * 16 + 1, answer.Computed);
            Assert.Equal(prompt.Length, answer.Computed + answer.Use.Reused);
            answer.AssertSameBits(expected, string.Join("", places));
            engine.Flush();
        }, iter: 25, threads: 1);
    }

    [Fact]
    public void Damaged_blocks_on_the_disk_become_holes_and_the_answer_stays_the_same()
    {
        const int blocks = 30;
        int[] prompt = Prompt(blocks * 16 + 1);
        CachedEngine.Answer expected = Fresh(prompt);
        using (CachedEngine first = new(_model, CachedEngine.WithDisk(_folder["kv"])))
            first.Ask(prompt);
        string segment = Directory.GetFiles(_folder["kv"], "blocks-*.kv").Single();
        long slotBytes;
        using (CachedEngine second = new(_model, CachedEngine.WithDisk(_folder["kv"])))
        {
            slotBytes = second.Engine.Layout.StrideBytes + 4096;
            foreach (int slot in (int[])[2, 3, 11, 29])
                Flip(segment, slot * slotBytes + 4096 + 777);
            Flip(segment, 17 * slotBytes + 20); // in a header
            CachedEngine.Answer answer = second.Ask(prompt);
            Assert.Equal(5 * 16 + 1, answer.Computed);
            Assert.Equal(25 * 16, answer.Use.Disk);
            Assert.Equal(5, answer.Use.Misses.Count(miss => miss is { Reason: MissReason.LoadFailed, Tier: Tier.Disk }));
            Assert.Equal(4, answer.Use.Misses.Count(miss => miss.Detail == "wrong_payload_checksum"));
            answer.AssertSameBits(expected, "five blocks damaged");
        }
        using CachedEngine third = new(_model, CachedEngine.WithDisk(_folder["kv"])); // what was computed again was written again
        Assert.Equal(1, third.Ask(prompt).Computed);
    }

    [Fact]
    public void One_block_in_a_hundred_lost_leaves_98_percent_of_the_tokens()
    {
        int[] prompt = Prompt(100 * 16 + 1);
        using CachedEngine engine = new(_model, new EngineOptions { Context = 2048, Sequences = 2 });
        engine.Ask(prompt);
        engine.Drop(prompt, block => block == 41);
        CachedEngine.Answer answer = engine.Ask(prompt);
        Assert.Equal(17, answer.Computed);
        Assert.Equal(prompt.Length - 17, answer.Use.Reused); // of 1,601
    }

    static void Flip(string path, long offset)
    {
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite);
        file.Position = offset;
        int value = file.ReadByte();
        file.Position = offset;
        file.WriteByte((byte)(value ^ 0x10));
    }
}
