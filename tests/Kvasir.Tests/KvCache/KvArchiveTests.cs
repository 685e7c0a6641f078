using System.Buffers.Binary;
using System.IO.Hashing;
using Kvasir.KvCache;
using Kvasir.KvCache.Archive;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.KvCache.Disk;

namespace Kvasir.Tests.KvCache;

/// <summary>Archives: what is whole is read, what is not says so, and no part is taken for the whole.</summary>
public sealed class KvArchiveTests
{
    const int Blocks = 4, Head = 64, End = 24;

    static readonly int[] s_tokens = [.. Enumerable.Range(0, Blocks * DiskFixture.Small.BlockTokens)];
    static readonly int s_slot =
        (int)DiskFixture.SlotBytes(DiskFixture.Small) - (int)(DiskFixture.Small.StrideBytes - DiskFixture.Small.BlockBytes);

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    static TieredKvCache Cache(int blocks = 8, int hostBlocks = 8) =>
        new(DiskFixture.Small, DiskFixture.Model,
            new KvCacheOptions { DeviceBlocks = blocks, HostBytes = hostBlocks * DiskFixture.Small.StrideBytes });

    static IReadOnlyList<BlockKey> Keys(TieredKvCache cache) => cache.Keys(s_tokens);

    /// <summary>A cache whose pool has the four blocks of <see cref="s_tokens"/>, with bytes that follow from their numbers.</summary>
    static TieredKvCache Filled()
    {
        TieredKvCache cache = Cache();
        BlockKey parent = KeyChain.Root(cache.Fingerprint, []);
        foreach ((int number, BlockKey key) in Keys(cache).Index())
        {
            MutableBlock block = cache.Device.TryAllocate()!;
            new Random(number).NextBytes(cache.Device.Bytes(block));
            block.Complete().Register(key, parent, s_tokens.AsSpan(number * cache.Layout.BlockTokens, cache.Layout.BlockTokens)).Dispose();
            parent = key;
        }
        return cache;
    }

    static async Task<byte[]> Archive()
    {
        using TieredKvCache cache = Filled();
        using MemoryStream stream = new();
        Assert.Equal(Blocks, await KvArchive.Write(cache, Keys(cache), stream, Patience));
        Assert.Equal(Head + Blocks * s_slot + End, stream.Length);
        return stream.ToArray();
    }

    static async Task<KvArchiveCounts> Read(TieredKvCache cache, byte[] archive) =>
        await KvArchive.Read(cache, new MemoryStream(archive), Patience);

    /// <summary>Reads what is wrong into an empty cache, which has to end up with just so many blocks; returns what was said.</summary>
    static async Task<string> Refused(byte[] archive, int kept)
    {
        using TieredKvCache cache = Cache();
        InvalidDataException refusal = await Assert.ThrowsAsync<InvalidDataException>(() => Read(cache, archive));
        Assert.Equal(Keys(cache).Take(kept), Keys(cache).Where(cache.Host!.Contains));
        Assert.Equal(kept, cache.Host!.Counts.Cached);
        if (kept > 0)
            Assert.EndsWith($"what came before is kept ({kept} blocks, {kept} of them new)", refusal.Message, StringComparison.Ordinal);
        return refusal.Message;
    }

    /// <summary>An archive whose end says so many blocks, with the checksum of somebody who knows how.</summary>
    static byte[] Forged(byte[] archive, long blocks)
    {
        XxHash3 sum = new();
        sum.Append(archive.AsSpan(0, Head));
        for (int at = Head; at < archive.Length - End; at += s_slot)
            sum.Append(archive.AsSpan(at, 4096));
        BinaryPrimitives.WriteInt64LittleEndian(archive.AsSpan(archive.Length - End + 8), blocks);
        sum.Append(archive.AsSpan(archive.Length - End, 16));
        BinaryPrimitives.WriteUInt64LittleEndian(archive.AsSpan(archive.Length - 8), sum.GetCurrentHashAsUInt64());
        return archive;
    }

    static byte[] Slot(byte[] archive, int block) => archive[(Head + block * s_slot)..(Head + (block + 1) * s_slot)];

    [Fact]
    public async Task What_was_written_is_read_bit_for_bit_and_known_the_second_time()
    {
        byte[] archive = await Archive();
        using TieredKvCache cache = Cache();
        Assert.Equal(new KvArchiveCounts(Blocks, Blocks, 0), await Read(cache, archive));
        Assert.Equal(new KvArchiveCounts(Blocks, 0, Blocks), await Read(cache, archive));
        using MemoryStream again = new();
        await KvArchive.Write(cache, Keys(cache), again, Patience);
        Assert.Equal(archive, again.ToArray());
    }

    [Fact]
    public async Task A_stream_that_comes_byte_by_byte_is_no_less_whole()
    {
        using TieredKvCache cache = Cache();
        Assert.Equal(Blocks, (await KvArchive.Read(cache, new DribblingStream(await Archive()), Patience)).Imported);
    }

    [Fact]
    public async Task An_archive_that_was_cut_anywhere_is_refused_and_the_whole_blocks_before_the_cut_are_kept()
    {
        byte[] archive = await Archive();
        List<int> cuts = [.. Enumerable.Range(0, Head + 2), .. Enumerable.Range(archive.Length - End - 1, End + 1)];
        for (int border = 0; border <= Blocks; border++)
            cuts.AddRange([Head + border * s_slot - 1, Head + border * s_slot, Head + border * s_slot + 1, Head + border * s_slot + 4096]);
        foreach (int cut in cuts.Where(cut => cut < archive.Length).Distinct())
            if (cut < Head)
                Assert.Equal($"this is no archive of keys and values: {cut} bytes, and its head alone has 64",
                    await Refused(archive[..cut], kept: 0));
            else
                Assert.StartsWith(
                    $"the archive was cut: after {(cut - Head) / s_slot} whole blocks "
                        + $"{((cut - Head) % s_slot is 0 ? "it stops" : $"{(cut - Head) % s_slot:N0} bytes of the next")}, without its end",
                    await Refused(archive[..cut], kept: (cut - Head) / s_slot), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Of_blocks_that_vanish_while_it_is_written_an_archive_does_not_speak()
    {
        using TieredKvCache cache = Filled(), other = Cache();
        IReadOnlyList<BlockKey> keys = Keys(cache);
        using MemoryStream archive = new();
        await using WatchedStream watched = new(archive, written => written == Head + s_slot && cache.Device.TryDrop(keys[3]));
        Assert.Equal(Blocks - 1, await KvArchive.Write(cache, [NumberedKey.Of(7), .. keys], watched, Patience));
        Assert.Equal(new KvArchiveCounts(Blocks - 1, Blocks - 1, 0), await Read(other, archive.ToArray()));
    }

    [Fact]
    public async Task An_archive_of_nothing_is_whole()
    {
        using TieredKvCache cache = Cache();
        using MemoryStream archive = new();
        Assert.Equal(0, await KvArchive.Write(cache, Keys(cache), archive, Patience));
        Assert.Equal(Head + End, archive.Length);
        Assert.Equal(default, await Read(cache, archive.ToArray()));
    }

    [Fact]
    public async Task Each_bit_of_head_and_end_counts()
    {
        byte[] archive = await Archive();
        for (int bit = 0; bit < 8 * (Head + End); bit++)
        {
            byte[] bad = [.. archive];
            bool isHead = bit < 8 * Head;
            bad[isHead ? bit / 8 : archive.Length - End + bit / 8 - Head] ^= (byte)(1 << bit % 8);
            bool isSpare = isHead && bit / 8 >= 56; // nothing is there yet, but the end's checksum has it
            await Refused(bad, kept: isHead && !isSpare ? 0 : Blocks);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(Blocks - 1)]
    [InlineData(Blocks + 1)]
    [InlineData(KvArchive.MostBlocks + 1)]
    [InlineData(-1)]
    [InlineData(long.MaxValue)]
    [InlineData(long.MinValue)]
    public async Task A_count_that_is_not_that_of_the_blocks_is_refused_even_with_the_right_checksum(long blocks) =>
        Assert.StartsWith($"the archive's end says {blocks:N0} blocks, and 4 came",
            await Refused(Forged(await Archive(), blocks), Blocks), StringComparison.Ordinal);

    [Fact]
    public async Task A_block_that_was_taken_out_doubled_or_moved_is_noticed()
    {
        byte[] archive = await Archive(), head = archive[..Head], end = archive[^End..], first = Slot(archive, 0),
            second = Slot(archive, 1), third = Slot(archive, 2), fourth = Slot(archive, 3);
        Assert.Equal(archive, Forged([.. head, .. first, .. second, .. third, .. fourth, .. end], Blocks)); // so the forger knows how
        Assert.Contains("says 4 blocks, and 3 came",
            await Refused([.. head, .. first, .. second, .. third, .. end], 3), StringComparison.Ordinal);
        using TieredKvCache cache = Cache();
        foreach (byte[] bad in (byte[][])[[.. head, .. first, .. second, .. second, .. fourth, .. end],
            [.. head, .. second, .. first, .. third, .. fourth, .. end]])
            Assert.Contains("is not that of its blocks", (await Assert.ThrowsAsync<InvalidDataException>(() => Read(cache, bad))).Message,
                StringComparison.Ordinal);
    }

    [Fact]
    public async Task Nothing_follows_the_end()
    {
        byte[] archive = await Archive();
        Assert.StartsWith("something follows the archive's end", await Refused([.. archive, 0], Blocks), StringComparison.Ordinal);
        Assert.StartsWith("something follows the archive's end", await Refused([.. archive, .. archive], Blocks), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_damaged_block_ends_the_reading()
    {
        byte[] archive = await Archive();
        archive[Head + 2 * s_slot + 4096 + 5] ^= 1;
        Assert.StartsWith("block 2 of the archive is damaged", await Refused(archive, kept: 2), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_archive_of_version_1_which_had_no_end_is_refused_by_name()
    {
        byte[] archive = await Archive();
        archive[8] = 1;
        Assert.Equal("the archive's version is 1, expected 2", await Refused(archive[..^End], kept: 0));
    }

    [Fact]
    public async Task No_archive_is_endless()
    {
        byte[] archive = await Archive();
        using TieredKvCache cache = Cache(), other = Cache();
        ArchiveReader few = new(cache, KvArchive.HeaderOf(cache), new MemoryStream(archive), Blocks - 1),
            enough = new(other, KvArchive.HeaderOf(other), new MemoryStream(archive), Blocks);
        Assert.StartsWith("the archive has more blocks than 3;",
            (await Assert.ThrowsAsync<InvalidDataException>(() => few.Read(isLast: true, Patience))).Message, StringComparison.Ordinal);
        Assert.Equal(Blocks, (await enough.Read(isLast: true, Patience)).Imported);
        await Assert.ThrowsAsync<ArgumentException>(
            () => KvArchive.Write(cache, new BlockKey[KvArchive.MostBlocks + 1], Stream.Null, Patience));
    }

    [Fact]
    public async Task Blocks_for_which_there_is_no_room_are_counted_as_such()
    {
        using TieredKvCache cache = Cache(blocks: 2, hostBlocks: 0);
        using (MutableBlock held = cache.Device.TryAllocate()!, alsoHeld = cache.Device.TryAllocate()!)
            Assert.Equal((4, 0, 0, 4),
                await Read(cache, await Archive()) is var counts ? (counts.Blocks, counts.Imported, counts.Known, counts.NoRoom) : default);
    }

    /// <summary>Passes on what is written, and says how much that was.</summary>
    sealed class WatchedStream(Stream inner, Func<long, bool> written) : MemoryStream
    {
        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await inner.WriteAsync(buffer, cancellationToken);
            written(inner.Length);
        }
    }

    /// <summary>Gives a byte at a time.</summary>
    sealed class DribblingStream(byte[] bytes) : MemoryStream(bytes)
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) =>
            base.ReadAsync(buffer[..Math.Min(1, buffer.Length)], cancellationToken);
    }
}
