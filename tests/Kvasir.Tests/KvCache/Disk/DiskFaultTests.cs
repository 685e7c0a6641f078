using System.Diagnostics;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;
using Microsoft.Data.Sqlite;
using static Kvasir.Tests.KvCache.Disk.DiskFixture;

namespace Kvasir.Tests.KvCache.Disk;

/// <summary>What happens when a write ends in the middle, by a fault or by death, and when the directory is not what it was.</summary>
public sealed class DiskFaultTests : IDisposable
{
    /// <summary>The steps of a write in their order; those about room only under pressure.</summary>
    public static TheoryData<string> Steps => ["begin", "room", "room committed", "some data", "data", "flushed", "rows", "committed"];

    readonly DiskFixture _disk = new();

    public void Dispose() => _disk.Dispose();

    static long Room => 16 * SlotBytes(Small);

    [Theory, MemberData(nameof(Steps))]
    public void A_process_killed_at_any_step_leaves_every_committed_block_and_no_wrong_byte(string step)
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "SIGKILL is of Unix");
        for (int round = 0; round < 2; round++)
        {
            HashSet<int> before;
            using (DiskTier tier = _disk.Open(_disk.Options(Room)))
            {
                Write(tier, Small, [.. Enumerable.Range(round * 40, 16)]); // the second round finds it full
                before = Found(tier);
            }
            DieAt(step);
            using DiskTier after = _disk.Open(_disk.Options(Room));
            Assert.Null(after.Problem);
            HashSet<int> found = Found(after);
            Assert.All(found, block => Assert.Equal(ReadOutcome.Ok, Read(after, Small, block)));
            Assert.All(before.Except(found),
                block => Assert.True(after.FindEvictions([Key(block)]).Count == 1, $"block {block} is lost and was not evicted"));
            if (step == "committed")
                Assert.Superset(Enumerable.Range(500, 4).ToHashSet(), found);
            Assert.Equal(2, Write(after, Small, 700 + round, 800 + round)); // and it goes on
            Assert.Equal(ReadOutcome.Ok, Read(after, Small, 800 + round));
        }
    }

    /// <summary>Runs this test's own program, which kills itself.</summary>
    void DieAt(string step)
    {
        (int exitCode, string output) = OwnProcess.Run(typeof(DiskFaultTests), nameof(The_process_that_dies), $"{step}|{_disk.Path}");
        Assert.True(exitCode == 137, $"the child should have died at '{step}', but said: {output}");
    }

    [Fact]
    public void The_process_that_dies()
    {
        string[] told = OwnProcess.Argument(nameof(The_process_that_dies)).Split('|');
        DiskTierOptions options = _disk.Options(Room) with
        {
            Folder = told[1],
            FaultPoint = here =>
            {
                if (here == told[0])
                    Process.GetCurrentProcess().Kill();
            },
        };
        using DiskTier tier = _disk.Open(options);
        Write(tier, Small, 500, 501, 502, 503);
    }

    [Theory, MemberData(nameof(Steps))]
    public void A_disk_that_fails_at_any_step_drops_the_write_and_nothing_else(string step)
    {
        bool failing = false;
        DiskTierOptions options = _disk.Options(Room) with
        {
            FaultPoint = here =>
            {
                if (failing && here == step)
                    throw new IOException("No space left on device");
            },
        };
        using DiskTier tier = _disk.Open(options);
        Write(tier, Small, [.. Enumerable.Range(0, 16)]);
        failing = true;
        int written = Write(tier, Small, 500, 501);
        Assert.Equal(0, written);
        Assert.Equal("No space left on device", tier.Problem);
        failing = false;
        Assert.Equal(2, Write(tier, Small, 600, 601));
        HashSet<int> known = Found(tier);
        Assert.All(known, block => Assert.Equal(ReadOutcome.Ok, Read(tier, Small, block)));
        using DiskTier other = _disk.Open(_disk.Options(Room));
        Assert.Equal(known, Found(other)); // memory and catalogue agree
    }

    [Fact]
    public void A_full_file_system_is_left_as_it_is()
    {
        using DiskTier tier = _disk.Open(_disk.Options() with { KeepFreeBytes = long.MaxValue / 4 });
        Assert.Equal(0, Write(tier, Small, 1));
        Assert.Empty(_disk.Segments());
    }

    [Fact]
    public void Space_that_others_need_is_given_back()
    {
        using (DiskTier tier = _disk.Open())
            Write(tier, Small, 1);
        using DiskTier pressed = _disk.Open(_disk.Options() with { KeepFreeBytes = long.MaxValue / 4 });
        Write(pressed, Small, 2);
        Assert.Empty(_disk.Segments());
        Assert.Empty(Found(pressed));
    }

    [Fact]
    public void What_is_pinned_stays_when_space_is_short_or_the_budget_smaller()
    {
        using (DiskTier tier = _disk.Open(_disk.Options(Room)))
        {
            Write(tier, Small, [.. Enumerable.Range(0, 16)]);
            Assert.Equal(1, tier.Pin([Key(3)], "owner", DateTimeOffset.UtcNow.AddHours(1)));
        }
        using DiskTier pressed = _disk.Open(_disk.Options(2 * SlotBytes(Small)) with { KeepFreeBytes = long.MaxValue / 4 });
        for (int i = 0; i < 10; i++)
            Write(pressed, Small, 50 + i);
        Assert.Contains(3, Found(pressed));
        Assert.Single(_disk.Segments());
        Assert.InRange(new FileInfo(_disk.Segments()[0]).Length, 1, 2 * SlotBytes(Small));
    }

    [Theory]
    [InlineData("no database at all, but long enough to be looked at as if it were one, which takes a hundred bytes or more than that")]
    [InlineData("")]
    [InlineData("SQLite format 3\0 and then nonsense that goes on for a while so that the header is whole "
        + "........................................")]
    public void A_catalogue_that_is_none_is_set_aside_and_the_cache_begins_anew(string content)
    {
        using (DiskTier tier = _disk.Open())
            Write(tier, Small, 1);
        string catalogue = Path.Combine(_disk.Path, "catalogue.db");
        File.WriteAllText(catalogue, content);
        File.Delete(catalogue + "-wal");
        using DiskTier again = _disk.Open();
        Assert.Empty(Found(again));
        Assert.True(content.Length == 0 || again.Problem!.Contains("set aside", StringComparison.Ordinal), again.Problem);
        Assert.Equal(1, Write(again, Small, 1));
        Assert.Equal(ReadOutcome.Ok, Read(again, Small, 1));
    }

    [Theory]
    [InlineData("PRAGMA user_version = 99", "no catalogue of version 1")]
    [InlineData("DROP TABLE evicted", "no catalogue of version 1")]
    [InlineData("ALTER TABLE blocks DROP COLUMN used", "no catalogue of version 1")]
    public void A_catalogue_of_another_version_or_shape_is_set_aside_too(string sql, string problem)
    {
        using (DiskTier tier = _disk.Open())
            Write(tier, Small, 1);
        string segment = Assert.Single(_disk.Segments());
        using (var connection = new SqliteConnection($"Data Source={Path.Combine(_disk.Path, "catalogue.db")};Pooling=False"))
        {
            connection.Open();
            using SqliteCommand command = connection.CreateCommand();
            command.CommandText = sql;
            command.ExecuteNonQuery();
        }
        using DiskTier again = _disk.Open();
        Assert.Contains(problem, again.Problem, StringComparison.Ordinal);
        Assert.Empty(Found(again));
        Assert.Equal(1, Write(again, Small, 1));
        Assert.NotEqual(segment, Assert.Single(_disk.Segments())); // whoever still has the old file does not take it for the new one
    }

    [Fact]
    public async Task Two_processes_worth_of_tiers_write_and_read_at_the_same_time()
    {
        using DiskTier one = _disk.Open(_disk.Options(Room)), other = _disk.Open(_disk.Options(Room));
        int mistakes = 0, good = 0;
        await Task.WhenAll(Work(one, 0), Work(other, 1), Reads(one), Reads(other));
        Assert.Equal(0, mistakes);
        Assert.True(good > 0);
        one.Refresh();
        other.Refresh();
        Assert.Equal(Found(one), Found(other));

        Task Work(DiskTier tier, int seed) => Task.Factory.StartNew(() =>
        {
            for (int i = 0; i < 30; i++)
                Write(tier, Small, (i * 7 + seed * 3) % 40, (i * 11 + seed) % 40);
        }, TaskCreationOptions.LongRunning);

        Task Reads(DiskTier tier) => Task.Factory.StartNew(() =>
        {
            for (int i = 0; i < 2000; i++)
            {
                tier.Refresh();
                try
                {
                    if (Read(tier, Small, i % 40) == ReadOutcome.Ok)
                        Interlocked.Increment(ref good);
                }
                catch (Xunit.Sdk.XunitException)
                {
                    Interlocked.Increment(ref mistakes);
                }
            }
        }, TaskCreationOptions.LongRunning);
    }

    [Fact]
    public void A_directory_that_is_a_file_cannot_be_used_and_says_so()
    {
        string file = _disk.Folder.Write("file", [1]);
        IOException e = Assert.Throws<IOException>(() => _disk.Open(_disk.Options() with { Folder = file }));
        Assert.StartsWith($"{file}: cannot be used for keys and values: ", e.Message, StringComparison.Ordinal);
    }

    static HashSet<int> Found(DiskTier tier) => [.. Enumerable.Range(0, 900).Where(block => tier.TryFind(Key(block), out _))];
}
