using System.Collections.Concurrent;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.Tests.KvCache.Disk;

namespace Kvasir.Tests.KvCache;

/// <summary>
/// A pool in memory that the processor cannot reach, as a device's is: all goes through the arena's copies, and nobody touches an address.
/// </summary>
public sealed unsafe class OpaqueArenaTests : IDisposable
{
    const int Tokens = 5 * 16 + 7;

    static readonly int[] s_prompt = [.. Enumerable.Range(0, Tokens)];

    readonly DiskFixture _disk = new();

    public void Dispose() => _disk.Dispose();

    TieredKvCache Cache(int hostBlocks, bool hasDisk) => new(DiskFixture.Large, DiskFixture.Model, new KvCacheOptions
    {
        DeviceBlocks = 16, HostBytes = hostBlocks * DiskFixture.Large.StrideBytes, Disk = hasDisk ? _disk.Options() : null,
    }, new OpaqueArena((int)DiskFixture.Large.BlockBytes, 16));

    [Theory]
    [InlineData(16, false, Tier.Host)]
    [InlineData(0, true, Tier.Disk)]
    public void Blocks_leave_it_and_come_back_byte_for_byte(int hostBlocks, bool hasDisk, Tier expected)
    {
        using TieredKvCache cache = Cache(hostBlocks, hasDisk);
        byte[][] written = Compute(cache);
        Assert.True(cache.Flush(TimeSpan.FromSeconds(20)));
        Assert.Equal(6, cache.Evict(cache.Keys(s_prompt).ToArray(), Tier.Device).Evicted);

        using CachedSequence sequence = cache.NewSequence();
        sequence.BeginRequest(Tokens + 1);
        sequence.Match([.. s_prompt, -1]);
        sequence.WaitForAll();
        Assert.Equal((Tokens, Tokens), (sequence.Length, sequence.Use.From(expected)));
        for (int block = 0; block < 5; block++)
            Assert.Equal(written[block], Bytes(cache, sequence, block));
        byte[] tail = Bytes(cache, sequence, 5); // the tail, whose other tokens were cleared before anybody else saw them
        foreach ((long offset, long bytes) in cache.Layout.RowsFrom(7))
            Assert.False(tail.AsSpan((int)offset, (int)bytes).ContainsAnyExcept((byte)0));
        Assert.NotEqual(0, tail[0]);
    }

    /// <summary>Leaves the prompt's blocks and its tail in the cache; returns what was written to each.</summary>
    static byte[][] Compute(TieredKvCache cache)
    {
        using CachedSequence sequence = cache.NewSequence();
        sequence.BeginRequest(Tokens);
        Assert.True(sequence.TryReserve(Tokens));
        byte[][] written = [.. Enumerable.Range(0, 6)
            .Select(block => Enumerable.Range(0, (int)cache.Layout.BlockBytes).Select(i => (byte)(1 + (block * 7 + i) % 250)).ToArray())];
        using NativeBuffer buffer = new((int)cache.Layout.StrideBytes);
        for (int block = 0; block < 6; block++)
        {
            written[block].CopyTo(buffer.Span);
            cache.Device.Arena.Write(sequence.Table[block].Id, 0, buffer.Address, cache.Layout.BlockBytes);
        }
        sequence.Fill(s_prompt, 0, Tokens);
        sequence.EndRequest();
        sequence.Clear(s_prompt);
        return written;
    }

    static byte[] Bytes(TieredKvCache cache, CachedSequence sequence, int block)
    {
        using NativeBuffer buffer = new((int)cache.Layout.StrideBytes);
        cache.Device.Arena.Read(sequence.Table[block].Id, 0, buffer.Address, cache.Layout.BlockBytes);
        return buffer.Span[..(int)cache.Layout.BlockBytes].ToArray();
    }

    /// <summary>Memory whose addresses lead nowhere: who follows one ends the process.</summary>
    sealed class OpaqueArena(int blockBytes, int blocks) : IBlockArena
    {
        readonly ConcurrentDictionary<BlockId, byte[]> _memory = new();

        public int Blocks => blocks;

        public bool IsHostMemory => false;

        public byte* Address(BlockId block) => (byte*)(block.Index + 1);

        public void Copy(BlockId source, BlockId target, long offset, long bytes) =>
            Part(source, offset, bytes).CopyTo(Part(target, offset, bytes));

        public void Read(BlockId source, long offset, byte* destination, long bytes) =>
            Part(source, offset, bytes).CopyTo(new Span<byte>(destination, (int)bytes));

        public void Write(BlockId target, long offset, byte* source, long bytes) =>
            new Span<byte>(source, (int)bytes).CopyTo(Part(target, offset, bytes));

        public void Clear(BlockId block, long offset, long bytes) => Part(block, offset, bytes).Clear();

        public void Dispose() => _memory.Clear();

        Span<byte> Part(BlockId block, long offset, long bytes) =>
            _memory.GetOrAdd(block, _ => new byte[blockBytes]).AsSpan((int)offset, (int)bytes);
    }
}
