using System.Diagnostics;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;
using Microsoft.Data.Sqlite;
using static Kvasir.Tests.KvCache.Disk.DiskFixture;

namespace Kvasir.Tests.KvCache.Disk;

/// <summary>How long a directory of a million blocks takes to open: a measurement, run by name.</summary>
public sealed class MillionBlocks
{
    const int Blocks = 123 * 8192; // full segments: their files are not there, and nothing may be written to them

    [Fact(Explicit = true)]
    public void Opening_a_million_blocks()
    {
        using var disk = new DiskFixture();
        using (DiskTier tier = disk.Open())
            Write(tier, Small, 0);
        Fill(disk);
        for (int run = 0; run < 3; run++)
        {
            long start = Stopwatch.GetTimestamp();
            using DiskTier tier = disk.Open(disk.Options(1L << 40));
            double open = Stopwatch.GetElapsedTime(start).TotalSeconds;
            Assert.Equal(Blocks + 1 + run, tier.Blocks);
            Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 0));
            start = Stopwatch.GetTimestamp();
            Assert.True(Write(tier, Small, 1 + run) == 1, tier.Problem);
            TestContext.Current.TestOutputHelper!.WriteLine(
                $"opened {Blocks:N0} blocks in {open:0.00} s; wrote one more in {Stopwatch.GetElapsedTime(start).TotalSeconds:0.000} s");
            Assert.True(open < 2, $"{open} s");
        }
    }

    /// <summary>Room for a block of another size in a directory that is full of these.</summary>
    [Fact(Explicit = true)]
    public void Making_room_beside_a_million_blocks_of_another_size()
    {
        using var disk = new DiskFixture();
        using (DiskTier tier = disk.Open())
            Write(tier, Small, 0);
        Fill(disk);
        long bytes = (Blocks + 8192L) * SlotBytes(Small);
        using DiskTier other = disk.Open(disk.Options(bytes), Large);
        for (int block = 0; block < 3; block++)
        {
            long start = Stopwatch.GetTimestamp();
            int written = Write(other, Large, block);
            double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
            TestContext.Current.TestOutputHelper!.WriteLine($"wrote {written} in {seconds:0.000} s");
            Assert.True(written == 1 && seconds < 2, $"{written} in {seconds} s: {other.Problem}");
        }
    }

    static void Fill(DiskFixture disk)
    {
        using var connection = new SqliteConnection($"Data Source={Path.Combine(disk.Path, "catalogue.db")};Pooling=False");
        connection.Open();
        long slots = (64 << 20) / SlotBytes(Small), segments = (Blocks + slots - 1) / slots;
        using SqliteCommand command = connection.CreateCommand();
        command.CommandTimeout = 600;
        command.CommandText = $"""
            WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {segments + 1}) INSERT INTO segments SELECT i, {SlotBytes(Small)}, {slots} FROM n;
            WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {Blocks - 1})
            INSERT INTO blocks SELECT (2 + i / {slots}) * 1048576 + i % {slots}, randomblob(32), randomblob(32), 1, randomblob(64), abs(random() % 1000000), 1, 5 FROM n;
            UPDATE counters SET value = 5 WHERE name = 'change';
            """;
        command.ExecuteNonQuery();
    }
}
