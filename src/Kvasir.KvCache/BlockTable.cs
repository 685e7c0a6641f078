using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache;

/// <summary>
/// The blocks of one sequence in order: token <c>p</c> lies in block <c>p / BlockTokens</c>. Grows at its end only. Belongs to the pool's
/// owner thread while it changes; compute threads may read addresses in between.
/// </summary>
public sealed unsafe class BlockTable(BlockPool pool) : IDisposable
{
    readonly List<BlockHandle> _blocks = [];
    readonly List<nint> _addresses = [];

    /// <summary>Shape of the blocks.</summary>
    public KvLayout Layout => pool.Layout;

    /// <summary>Tokens whose keys and values are stored.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens for which there is room.</summary>
    public long Capacity => (long)_blocks.Count * Layout.BlockTokens;

    /// <summary>Makes room for the first <paramref name="tokens"/> tokens; takes all the blocks it needs or, when the pool has too few, none.</summary>
    /// <returns>Whether there is room now.</returns>
    public bool TryReserve(int tokens)
    {
        int wanted = Layout.BlocksFor(tokens) - _blocks.Count;
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
            _blocks[block] = ((MutableBlock)_blocks[block]).Complete();
        Length = length;
    }

    /// <summary>First byte of a block of the sequence.</summary>
    public byte* Address(int block) => (byte*)_addresses[block];

    /// <summary>Gives all blocks back.</summary>
    public void Dispose() => Clear();

    /// <summary>Forgets all tokens and gives their blocks back; the table may be used again.</summary>
    public void Clear()
    {
        foreach (BlockHandle block in _blocks)
            block.Dispose();
        _blocks.Clear();
        _addresses.Clear();
        Length = 0;
    }

    void Add(BlockHandle block)
    {
        _blocks.Add(block);
        _addresses.Add((nint)block.Address);
    }
}
