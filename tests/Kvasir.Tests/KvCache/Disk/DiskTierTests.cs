using CsCheck;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.KvCache.Disk.DiskFixture;

namespace Kvasir.Tests.KvCache.Disk;

public sealed class DiskTierTests : IDisposable
{
    readonly DiskFixture _disk = new();

    public void Dispose() => _disk.Dispose();

    /// <summary>
    /// Random histories of a tier with room for ten blocks, against a set: whatever is found has its own bytes, and
    /// only what was written is found.
    /// </summary>
    [Fact]
    public void The_tier_behaves_like_a_set_that_forgets() =>
        Gen.Select(Gen.Int[0, 6], Gen.Int[0, 19]).Array[1, 40].Sample(steps =>
        {
            using var disk = new DiskFixture();
            DiskTierOptions options = disk.Options(10 * SlotBytes(Small));
            DiskTier tier = disk.Open(options);
            HashSet<int> written = [];
            try
            {
                foreach ((int action, int block) in steps)
                {
                    if (action <= 2)
                    {
                        Assert.True(Write(tier, Small, block) == 1 || tier.TryFind(Key(block), out _));
                        written.Add(block);
                        Assert.True(tier.TryFind(Key(block), out _));
                    }
                    else if (action == 3)
                        tier.Touch(Key(block));
                    else if (action == 4 && tier.TryFind(Key(block), out int slot))
                    {
                        tier.Discard(slot, Key(block), ReadOutcome.Gone);
                        Assert.False(tier.TryFind(Key(block), out _));
                    }
                    else if (action == 5)
                    {
                        int[] before = Found(tier);
                        tier.Dispose();
                        tier = disk.Open(options);
                        Assert.Equal(before, Found(tier));
                    }
                    int[] found = Found(tier);
                    Assert.Subset(written, found.ToHashSet());
                    Assert.All(found, known => Assert.Equal(ReadOutcome.Ok, Read(tier, Small, known)));
                    Assert.Equal(found.Length, tier.Blocks);
                    Assert.True(disk.Segments().Sum(file => new FileInfo(file).Length) <= options.MaxBytes);
                }
            }
            finally
            {
                tier.Dispose();
            }
        }, iter: 30, threads: 1);

    static int[] Found(DiskTier tier) => [.. Enumerable.Range(0, 20).Where(block => tier.TryFind(Key(block), out _))];

    [Fact]
    public void The_blocks_unused_for_longest_give_way_and_are_remembered()
    {
        var time = new ManualTime { Now = new DateTimeOffset(2026, 1, 2, 3, 4, 5, TimeSpan.Zero) };
        using DiskTier tier = _disk.Open(_disk.Options(8 * SlotBytes(Small)) with { Time = time });
        for (int block = 0; block < 16; block += 2) // none follows another
            Write(tier, Small, block);
        tier.Touch(Key(0));
        time.Now += TimeSpan.FromHours(1);
        Write(tier, Small, 16, 18);
        Assert.Equal([0, 6, 8, 10, 12, 14, 16, 18], Found(tier));
        Assert.Equal(time.Now, Assert.Contains(Key(2), tier.FindEvictions([Key(0), Key(2)])));
        Assert.Empty(tier.FindEvictions([Key(0)]));
    }

    [Theory]
    [InlineData(new[] { 0, 1, 2 }, new[] { 3, 4, 5 })] // by one request after the other
    [InlineData(new[] { 3, 4, 5 }, new[] { 0, 1, 2 })] // by one request, whose deepest blocks are written first
    public void A_leaf_gives_way_before_what_it_stands_on_in_whatever_batches_they_came(int[] first, int[] second)
    {
        using DiskTier tier = _disk.Open(_disk.Options(8 * SlotBytes(Small)));
        Write(tier, Small, first);
        Write(tier, Small, second);
        for (int other = 10; other < 18; other += 2) // each evicts one, after two that find room
            Write(tier, Small, other);
        Assert.Equal([0, 1, 2, 3, 10, 12, 14, 16], Found(tier));
    }

    [Fact]
    public void Every_flipped_bit_is_noticed()
    {
        using (DiskTier tier = _disk.Open(layout: Large))
            Assert.Equal(3, Write(tier, Large, 0, 1, 2));
        string segment = Assert.Single(_disk.Segments());
        byte[] whole = File.ReadAllBytes(segment);
        var random = new Random(5);
        HashSet<ReadOutcome> seen = [];
        for (int round = 0; round < 60; round++)
        {
            bool inHeader = round % 2 == 0;
            long at = SlotBytes(Large) + (inHeader ? random.Next(4096) : 4096 + random.Next((int)Large.BlockBytes));
            Change(segment, at, (byte)(whole[at] ^ 1 << random.Next(8)));
            using (DiskTier tier = _disk.Open(layout: Large))
            {
                ReadOutcome outcome = Read(tier, Large, 1);
                Assert.NotEqual(ReadOutcome.Ok, outcome);
                Assert.Equal(inHeader, outcome != ReadOutcome.WrongPayloadChecksum);
                seen.Add(outcome);
                Assert.Equal((ReadOutcome.Ok, ReadOutcome.Ok), (Read(tier, Large, 0), Read(tier, Large, 2)));
            }
            Change(segment, at, whole[at]);
        }
        Assert.Contains(ReadOutcome.WrongHeaderChecksum, seen);
    }

    [Fact]
    public void A_block_in_anothers_slot_is_not_taken_for_it()
    {
        using DiskTier tier = _disk.Open();
        Write(tier, Small, 0, 1);
        string segment = Assert.Single(_disk.Segments());
        byte[] bytes = File.ReadAllBytes(segment);
        using (FileStream file = File.OpenWrite(segment))
            file.Write(bytes, (int)SlotBytes(Small), (int)SlotBytes(Small)); // block 1 over block 0
        Assert.Equal(ReadOutcome.WrongKey, Read(tier, Small, 0));
        Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 1));
    }

    [Fact]
    public void Other_tokens_another_parent_and_another_model_are_not_taken_either()
    {
        using DiskTier tier = _disk.Open();
        Write(tier, Small, 3);
        Assert.Equal(ReadOutcome.WrongTokens, ReadAs(tier, Parent(3), Tokens(4)));
        Assert.Equal(ReadOutcome.WrongTokens, ReadAs(tier, Parent(3), Tokens(3)[..5]));
        Assert.Equal(ReadOutcome.WrongParent, ReadAs(tier, Parent(7), Tokens(3)));
        using DiskTier other = _disk.Open(model: new Fingerprint(Key(77).Digest));
        Assert.Equal(ReadOutcome.WrongFingerprint, ReadAs(other, Parent(3), Tokens(3)));

        static unsafe ReadOutcome ReadAs(DiskTier tier, BlockKey parent, int[] tokens)
        {
            using var memory = new NativeBuffer((int)Small.StrideBytes);
            Assert.True(tier.TryFind(Key(3), out int slot));
            return tier.Read(slot, Key(3), parent, tokens, 0, memory.Address);
        }
    }

    [Fact]
    public void Truncated_and_vanished_files_are_misses()
    {
        using (DiskTier tier = _disk.Open())
            Write(tier, Small, 0, 1, 2);
        string segment = Assert.Single(_disk.Segments());
        using (FileStream file = File.OpenWrite(segment))
            file.SetLength(SlotBytes(Small) + 5000);
        using (DiskTier tier = _disk.Open())
        {
            Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 0));
            Assert.Equal(ReadOutcome.WrongLength, Read(tier, Small, 1));
        }
        File.Delete(segment);
        using DiskTier again = _disk.Open();
        Assert.Equal(ReadOutcome.Gone, Read(again, Small, 0));
    }

    [Fact]
    public void A_discarded_block_frees_its_slot_but_not_one_that_came_there_meanwhile()
    {
        using DiskTier one = _disk.Open(_disk.Options(SlotBytes(Small))), other = _disk.Open(_disk.Options(SlotBytes(Small)));
        Write(one, Small, 0);
        other.Refresh();
        Assert.True(other.TryFind(Key(0), out int slot));
        Write(one, Small, 1); // in the only slot
        Assert.Equal(ReadOutcome.WrongKey, Read(other, Small, 0)); // it has not heard yet
        other.Discard(slot, Key(0), ReadOutcome.WrongKey);
        Assert.False(other.TryFind(Key(0), out _));
        Assert.Equal((ReadOutcome.Ok, ReadOutcome.Ok), (Read(other, Small, 1), Read(one, Small, 1)));
    }

    [Fact]
    public void Two_models_share_the_budget_and_the_colder_files_go()
    {
        KvLayout wide = Layout(4, 4, 32);
        DiskTierOptions options = _disk.Options(8 * SlotBytes(wide));
        using DiskTier small = _disk.Open(options), large = _disk.Open(options, wide, new Fingerprint(Key(50).Digest));
        for (int block = 0; block < 20; block++)
            Write(small, Small, block);
        Assert.True(small.Blocks > 10);
        for (int block = 100; block < 108; block++) // keys of another model are other keys
            Assert.True(Write(large, wide, block) == 1, $"{block}: {large.Problem}, {string.Join(" ", _disk.Segments())}");
        Assert.True(_disk.Segments().Sum(file => new FileInfo(file).Length) <= options.MaxBytes);
        Assert.Equal(ReadOutcome.Ok, Read(large, wide, 107));
        small.Refresh();
        Assert.All(Found(small), block => Assert.Equal(ReadOutcome.Ok, Read(small, Small, block)));
        Assert.True(Found(small).Length < 20);
    }

    [Fact]
    public void Pinned_blocks_stay_until_their_time_and_may_be_half_at_most()
    {
        var time = new ManualTime();
        DiskTierOptions options = _disk.Options(8 * SlotBytes(Small)) with { Time = time };
        using DiskTier tier = _disk.Open(options);
        for (int block = 0; block < 8; block++)
            Write(tier, Small, block);
        Assert.Equal(2, tier.Pin([Key(0), Key(1), Key(99)], "owner", time.GetUtcNow().AddHours(1)));
        Assert.Throws<IOException>(() => tier.Pin([.. Enumerable.Range(2, 6).Select(Key)], "greedy", time.GetUtcNow().AddHours(1)));
        for (int block = 8; block < 19; block++)
            Write(tier, Small, block);
        Assert.Subset(Found(tier).ToHashSet(), new HashSet<int> { 0, 1 });
        time.Now = time.Now.AddHours(-10); // a clock that jumps back changes nothing
        Write(tier, Small, 19);
        Assert.Subset(Found(tier).ToHashSet(), new HashSet<int> { 0, 1 });
        time.Now = time.Now.AddHours(12);
        for (int block = 20; block < 40; block += 2) // none follows another, or the first
            Write(tier, Small, block);
        Assert.DoesNotContain(0, Found(tier));
    }

    [Fact]
    public void An_owner_lets_go_of_what_it_has_pinned()
    {
        using DiskTier tier = _disk.Open(_disk.Options(4 * SlotBytes(Small)));
        Write(tier, Small, 0, 2, 4, 6); // none follows another
        tier.Pin([Key(0)], "one", DateTimeOffset.UtcNow.AddHours(1));
        tier.Pin([Key(2)], "other", DateTimeOffset.UtcNow.AddHours(1));
        Assert.Equal(1, tier.Unpin("one"));
        Write(tier, Small, 8, 10);
        Write(tier, Small, 12, 14);
        Assert.Equal((false, true), (tier.TryFind(Key(0), out _), tier.TryFind(Key(2), out _)));
    }

    static void Change(string path, long at, byte value)
    {
        using FileStream file = File.Open(path, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        file.Position = at;
        file.WriteByte(value);
    }

    sealed class ManualTime : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UtcNow;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
