using System.Text.RegularExpressions;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;
using static Kvasir.Tests.KvCache.Disk.DiskFixture;

namespace Kvasir.Tests.KvCache.Disk;

/// <summary>Disks that are full, only read, gone for a moment, or somebody else's; and clocks that jump.</summary>
public sealed class UnwillingDiskTests : IDisposable
{
    readonly DiskFixture _disk = new();

    public void Dispose() => _disk.Dispose();

    [Fact]
    public void Blocks_that_a_disk_did_not_give_are_there_when_it_does()
    {
        bool stale = false;
        using (DiskTier tier = _disk.Open(_disk.Options() with
        {
            FaultPoint = step => _ = stale && step == "read" ? throw new IOException("Stale file handle", 116) : 0,
        }))
        {
            Write(tier, Small, 0, 1);
            stale = true;
            foreach (int block in (int[])[0, 1])
            {
                Assert.True(tier.TryFind(Key(block), out int slot));
                Assert.Equal(ReadOutcome.IoError, Read(tier, Small, block));
                tier.Discard(slot, Key(block), ReadOutcome.IoError);
                Assert.False(tier.TryFind(Key(block), out _)); // it is computed, and may be written again
            }
            stale = false;
            Assert.Equal(1, Write(tier, Small, 1));
            Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 1));
        }
        using DiskTier again = _disk.Open();
        Assert.Equal((ReadOutcome.Ok, ReadOutcome.Ok), (Read(again, Small, 0), Read(again, Small, 1)));
        Assert.Equal(2, again.Blocks);
    }

    [Fact]
    public void Where_there_is_no_room_for_anything_the_disk_says_so()
    {
        using (DiskTier tier = _disk.Open(_disk.Options() with { KeepFreeBytes = long.MaxValue / 2 }))
        {
            Assert.Equal(0, Write(tier, Small, 0));
            Assert.Matches($"^{Regex.Escape(_disk.Path)}: [0-9,]+ bytes are free, and a file of blocks, .*; nothing is kept$", tier.Problem);
        }
        using (DiskTier tier = _disk.Open(_disk.Options() with { MaxBytes = 1 }))
        {
            Assert.Equal(0, Write(tier, Small, 0));
            Assert.Contains("1 bytes may be taken", tier.Problem, StringComparison.Ordinal);
        }
        using DiskTier roomy = _disk.Open();
        Assert.Equal((1, null), (Write(roomy, Small, 0), roomy.Problem));
    }

    [Fact]
    public void A_file_system_that_is_only_read_is_tried_once()
    {
        int tries = 0;
        bool readOnly = false;
        using DiskTier tier = _disk.Open(_disk.Options() with
        {
            FaultPoint = step =>
            {
                if (!readOnly || step is "read" or "query")
                    return;
                tries++;
                throw new UnauthorizedAccessException($"{_disk.Path}: Read-only file system");
            },
        });
        Write(tier, Small, 0);
        readOnly = true;
        Assert.Equal(0, Write(tier, Small, 1) + Write(tier, Small, 2) + Write(tier, Small, 3));
        Assert.Equal((1, false, ReadOutcome.Ok), (tries, tier.CanWrite, Read(tier, Small, 0)));
        Assert.Contains("Read-only file system", tier.Problem, StringComparison.Ordinal);
    }

    [Theory, MemberData(nameof(DiskFaultTests.Steps), MemberType = typeof(DiskFaultTests))]
    public void A_disk_that_is_full_for_a_while_keeps_what_it_has_and_takes_more_later(string step)
    {
        bool full = false;
        DiskTierOptions options = _disk.Options(16 * SlotBytes(Small)) with
        {
            FaultPoint = here => _ = full && here == step ? throw new IOException("No space left on device", 28) : 0,
        };
        using (DiskTier tier = _disk.Open(options))
        {
            Write(tier, Small, [.. Enumerable.Range(0, 16)]);
            full = true;
            for (int i = 0; i < 20; i++)
                Write(tier, Small, 100 + i);
            full = false;
            Assert.Equal(1, Write(tier, Small, 200));
            Assert.True(tier.CanWrite);
        }
        using DiskTier again = _disk.Open(options);
        Assert.All(Enumerable.Range(0, 300), block => Assert.True(Read(again, Small, block) is ReadOutcome.Ok or ReadOutcome.Gone));
        Assert.Equal(ReadOutcome.Ok, Read(again, Small, 200));
    }

    [Fact]
    public void Slots_of_another_model_are_misses()
    {
        Fingerprint stranger = new(Key(40).Digest);
        using (DiskTier one = _disk.Open())
            Write(one, Small, 0, 1, 2);
        string path = Assert.Single(_disk.Segments());
        byte[] mine = File.ReadAllBytes(path);
        using (DiskInspection? inspection = DiskInspection.Open(_disk.Path))
            inspection!.Clear();
        using (DiskTier other = _disk.Open(model: stranger))
            Write(other, Small, 0, 1, 2); // the same keys, as if two models had hit on them
        byte[] foreign = File.ReadAllBytes(Assert.Single(_disk.Segments()));
        Assert.Equal(mine.Length, foreign.Length);
        using (DiskTier other = _disk.Open(model: stranger))
            Assert.Equal(ReadOutcome.Ok, Read(other, Small, 0));
        using (DiskTier one = _disk.Open()) // its keys are in the catalogue, as the stranger's
            Assert.All((int[])[0, 1, 2], block => Assert.Equal(ReadOutcome.WrongFingerprint, Read(one, Small, block)));
        for (int seed = 0; seed < 50; seed++)
        {
            byte[] mixed = (byte[])foreign.Clone();
            var random = new Random(seed);
            int from = random.Next(mixed.Length / 512) * 512, length = Math.Min(random.Next(1, 64) * 512, mixed.Length - from);
            Array.Copy(mine, from, mixed, from, length);
            File.WriteAllBytes(Assert.Single(_disk.Segments()), mixed);
            using DiskTier other = _disk.Open(model: stranger);
            foreach (int block in (int[])[0, 1, 2])
                Read(other, Small, block); // whatever is called good has the right bytes
        }
    }

    [Theory]
    [InlineData("0001-01-01"), InlineData("1969-12-31"), InlineData("1970-01-01"), InlineData("2038-01-20"), InlineData("9999-12-31")]
    public void A_clock_that_jumps_costs_pins_and_nothing_else(string date)
    {
        var now = new Clock();
        DiskTierOptions options = _disk.Options(8 * SlotBytes(Small)) with { Time = now };
        using (DiskTier tier = _disk.Open(options))
        {
            Write(tier, Small, 0, 2, 4);
            tier.Pin([Key(0)], "me", now.GetUtcNow().AddDays(1));
            now.Now = new DateTimeOffset(DateTime.Parse(date, System.Globalization.CultureInfo.InvariantCulture), TimeSpan.Zero);
            foreach (int block in (int[])[6, 8, 10, 12, 14, 16, 18, 20])
                Assert.Equal(1, Write(tier, Small, block));
            Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 20));
            _ = tier.FindEvictions([Key(0), Key(2)]).Count + tier.List(10).Count;
            now.Now = DateTimeOffset.UtcNow;
            Assert.Equal(1, Write(tier, Small, 22));
            Assert.Equal(1, Write(tier, Small, 24));
            Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 24)); // what was used last, by whichever clock
            Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 20));
        }
        using DiskInspection? inspection = DiskInspection.Open(_disk.Path, now);
        Assert.All(inspection!.Blocks(), block => Assert.InRange(block.Used.Year, 1970, 9999));
        inspection.Collect();
    }

    sealed class Clock : TimeProvider
    {
        public DateTimeOffset Now { get; set; } = DateTimeOffset.UtcNow;

        public override DateTimeOffset GetUtcNow() => Now;
    }
}
