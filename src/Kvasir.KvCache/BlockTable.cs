using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache;

/// <summary>
/// The blocks of one sequence in order: token <c>p</c> lies in block <c>p / BlockTokens</c>. Grows at its end only. Belongs to the pool's
/// owner thread while it changes; compute threads may read addresses in between.
/// </summary>
public sealed unsafe class BlockTable(BlockPool pool) : IDisposable
{
    readonly List<BlockHandle> blocks = [];
    readonly List<nint> addresses = [];

    /// <summary>Shape of the blocks.</summary>
    public KvLayout Layout => pool.Layout;

    /// <summary>Tokens whose keys and values are stored.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens for which there is room.</summary>
    public long Capacity => (long)blocks.Count * Layout.BlockTokens;

    /// <summary>Makes room for the first <paramref name="tokens"/> tokens; takes all the blocks it needs or, when the pool has too few, none.</summary>
    /// <returns>Whether there is room now.</returns>
    public bool TryReserve(int tokens)
    {
        int wanted = Layout.BlocksFor(tokens) - blocks.Count;
        if (wanted > pool.Available)
            return false;
        for (; wanted > 0; wanted--)
            Add(pool.TryAllocate()!);
        return true;
    }

    /// <summary>Says that the tokens up to <paramref name="length"/> are written, and completes the blocks that are full.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Less than the present length, or beyond the capacity.</exception>
    public void Advance(int length)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(length, Length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Capacity);
        for (int block = Length / Layout.BlockTokens; block < length / Layout.BlockTokens; block++)
            blocks[block] = ((MutableBlock)blocks[block]).Complete();
        Length = length;
    }

    /// <summary>First byte of a block of the sequence.</summary>
    public byte* Address(int block) => (byte*)addresses[block];

    /// <summary>Gives all blocks back.</summary>
    public void Dispose()
    {
        foreach (BlockHandle block in blocks)
            block.Dispose();
        blocks.Clear();
        addresses.Clear();
        Length = 0;
    }

    void Add(BlockHandle block)
    {
        blocks.Add(block);
        addresses.Add((nint)block.Address);
    }
}
