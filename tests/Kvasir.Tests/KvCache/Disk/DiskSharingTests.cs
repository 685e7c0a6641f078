using System.Diagnostics;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;
using Microsoft.Data.Sqlite;
using static Kvasir.Tests.KvCache.Disk.DiskFixture;

namespace Kvasir.Tests.KvCache.Disk;

/// <summary>What tiers of one directory owe each other: news of uses, room, each other's blocks, and patience with strange rows.</summary>
public sealed class DiskSharingTests : IDisposable
{
    static readonly KvLayout s_wide = Layout(4, 4, 32);
    static readonly Fingerprint s_other = new(Key(50).Digest);

    readonly DiskFixture _disk = new();

    public void Dispose() => _disk.Dispose();

    [Fact]
    public void What_one_tier_used_is_not_evicted_by_another()
    {
        DiskTierOptions options = _disk.Options(8 * SlotBytes(Small));
        using DiskTier one = _disk.Open(options);
        for (int block = 0; block < 16; block += 2) // none follows another
            Write(one, Small, block);
        using DiskTier other = _disk.Open(options);
        one.Touch(Key(0));
        Write(one, Small, 14); // is there already: only the use is written
        Write(other, Small, 16);
        Assert.Equal((true, false), (other.TryFind(Key(0), out _), other.TryFind(Key(2), out _)));
    }

    [Fact]
    public void A_block_that_another_tier_wrote_anew_in_the_same_slot_is_not_discarded()
    {
        DiskTierOptions options = _disk.Options(SlotBytes(Small));
        using DiskTier one = _disk.Open(options), other = _disk.Open(options);
        Write(one, Small, 0);
        other.Refresh();
        Assert.True(other.TryFind(Key(0), out int slot));
        one.Discard(slot, Key(0), ReadOutcome.WrongPayloadChecksum);
        Write(one, Small, 0);
        other.Discard(slot, Key(0), ReadOutcome.WrongPayloadChecksum); // of what it read before
        one.Refresh();
        Assert.Equal((ReadOutcome.Ok, ReadOutcome.Ok), (Read(one, Small, 0), Read(other, Small, 0)));
    }

    [Fact]
    public void A_block_that_was_forgotten_and_written_again_is_not_discarded()
    {
        using DiskTier tier = _disk.Open(_disk.Options(SlotBytes(Small)));
        Write(tier, Small, 0);
        Assert.True(tier.TryFind(Key(0), out int slot));
        tier.Forget(slot, Key(0));
        Assert.Equal(1, Write(tier, Small, 0)); // faster than whoever has still to discard it
        tier.Discard(Key(0), ReadOutcome.WrongPayloadChecksum);
        Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 0));
    }

    [Fact]
    public void Of_two_forgotten_blocks_the_second_stays_so_while_the_first_is_discarded()
    {
        using (DiskTier tier = _disk.Open())
        {
            Write(tier, Small, 0, 1);
            foreach (int block in (int[])[0, 1])
            {
                Assert.True(tier.TryFind(Key(block), out int slot));
                tier.Forget(slot, Key(block));
            }
            tier.Discard(Key(0), ReadOutcome.WrongPayloadChecksum); // the directory's first eviction
            Assert.False(tier.TryFind(Key(1), out _));
            tier.Discard(Key(1), ReadOutcome.WrongPayloadChecksum);
        }
        using DiskTier again = _disk.Open();
        Assert.Equal(0, again.Blocks);
    }

    [Fact]
    public void A_use_of_a_block_that_went_with_its_file_is_no_trouble()
    {
        bool failing = false;
        DiskTierOptions options = _disk.Options(SlotBytes(Small)) with
        {
            FaultPoint = step => _ = failing && step == "begin" ? throw new IOException("no") : 0,
        };
        using DiskTier tier = _disk.Open(options), other = _disk.Open(_disk.Options(SlotBytes(Small)));
        Write(tier, Small, 0);
        other.Refresh();
        tier.Touch(Key(0));
        failing = true;
        Write(tier, Small, 1);
        failing = false;
        Assert.True(other.TryFind(Key(0), out int slot));
        other.Discard(slot, Key(0), ReadOutcome.WrongKey); // and nothing comes in its place
        tier.Refresh();
        using (DiskTier pressed = _disk.Open(_disk.Options() with { KeepFreeBytes = long.MaxValue / 4 }))
            Write(pressed, Small, 3); // the file goes
        tier.Refresh();
        tier.Dispose(); // writes uses down
    }

    [Fact]
    public void A_file_that_a_dying_process_left_is_gone_after_the_next_open()
    {
        DiskTierOptions options = _disk.Options(8 * SlotBytes(s_wide));
        using (DiskTier small = _disk.Open(options))
            for (int block = 0; block < 40; block++)
                Write(small, Small, block);
        using (DiskTier dying = _disk.Open(
            options with { FaultPoint = step => _ = step == "room committed" ? throw new IOException("dead") : 0 }, s_wide, s_other))
            Write(dying, s_wide, 100);
        _disk.Open(options).Dispose();
        Assert.Equal(Number("SELECT count(*) FROM segments"), _disk.Segments().Length);
    }

    [Fact]
    public void A_file_that_another_process_still_has_open_gives_its_room_back_at_once()
    {
        using (DiskTier tier = _disk.Open())
            Write(tier, Small, 1);
        using FileStream open = new(Assert.Single(_disk.Segments()), FileMode.Open, FileAccess.Read,
            FileShare.ReadWrite | FileShare.Delete);
        using DiskTier pressed = _disk.Open(_disk.Options() with { KeepFreeBytes = long.MaxValue / 4 });
        Write(pressed, Small, 2);
        Assert.Empty(_disk.Segments());
        Assert.Equal(0, open.Length);
    }

    [Fact]
    public void A_file_that_somebody_deleted_is_not_written_to_for_ever()
    {
        using (DiskTier tier = _disk.Open())
            Write(tier, Small, 0);
        File.Delete(Assert.Single(_disk.Segments()));
        using DiskTier again = _disk.Open();
        Assert.Equal(0, Write(again, Small, 1)); // it did not know yet
        Assert.Equal(1, Write(again, Small, 1));
        Assert.Equal((ReadOutcome.Gone, ReadOutcome.Ok), (Read(again, Small, 0), Read(again, Small, 1)));
    }

    [Theory]
    [InlineData("INSERT INTO segments VALUES (77, {0}, 1 << 40)")]
    [InlineData("INSERT INTO segments VALUES (0, {0}, 3); UPDATE blocks SET place = -5")]
    [InlineData("UPDATE blocks SET place = 1 << 60, used = 9223372036854775807")]
    [InlineData("UPDATE blocks SET key = x'00', parent = 'text', tokens = 7")]
    [InlineData("INSERT INTO pins VALUES ('x', 'no digest', 1 << 60); INSERT INTO evicted VALUES (1, 'x', 'y', 'z')")]
    public void Rows_that_nobody_could_have_written_are_passed_over(string sql)
    {
        using (DiskTier tier = _disk.Open())
            Write(tier, Small, 0);
        Number(string.Format(null, sql, SlotBytes(Small)));
        using DiskTier again = _disk.Open();
        Assert.Null(again.Problem);
        Assert.True(Write(again, Small, 1) + Write(again, Small, 1) == 1, again.Problem); // the first may go to a file that is not there
        Assert.Equal(ReadOutcome.Ok, Read(again, Small, 1));
        Assert.True(Read(again, Small, 0) is ReadOutcome.Ok or ReadOutcome.Gone);
    }

    [Fact]
    public void A_writer_that_has_to_wait_for_too_long_drops_its_batch()
    {
        using DiskTier tier = _disk.Open();
        using SqliteConnection busy = Connect();
        using SqliteTransaction transaction = busy.BeginTransaction(deferred: false);
        long start = Stopwatch.GetTimestamp();
        Assert.Equal(0, Write(tier, Small, 0));
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 1, 5);
        Assert.Contains("locked", tier.Problem, StringComparison.Ordinal);
        transaction.Rollback();
        Assert.Equal(1, Write(tier, Small, 0));
    }

    long Number(string sql)
    {
        using SqliteConnection connection = Connect();
        using SqliteCommand command = connection.CreateCommand();
        command.CommandText = sql;
        return command.ExecuteScalar() is long number ? number : 0;
    }

    [Fact]
    public void Made_up_salts_do_not_make_the_catalogue_grow()
    {
        using (DiskTier tier = _disk.Open())
            for (int batch = 0; batch < 3; batch++)
            {
                for (int i = 0; i < 2000; i++)
                    tier.AddRoot(KeyChain.Root(DiskFixture.Model, BitConverter.GetBytes(batch * 2000 + i)));
                Assert.Equal(1, DiskFixture.Write(tier, DiskFixture.Small, batch));
            }
        using SqliteConnection connection = Connect();
        using SqliteCommand count = new("SELECT count(*) FROM roots", connection);
        Assert.Equal(1024L, count.ExecuteScalar());
    }

    SqliteConnection Connect()
    {
        var connection = new SqliteConnection($"Data Source={Path.Combine(_disk.Path, "catalogue.db")};Pooling=False");
        connection.Open();
        return connection;
    }
}
