using System.Runtime.InteropServices;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Streaming;
using Kvasir.KvCache.Views;

namespace Kvasir.KvCache;

/// <summary>
/// The blocks of one sequence in order: token <c>p</c> lies in block <c>p / BlockTokens</c>. Some are shared with other
/// sequences and complete, others are its own and are filled from their start. Belongs to one thread while it changes; compute
/// threads may read addresses in between.
/// </summary>
/// <param name="pool">Where the blocks are.</param>
/// <param name="blocks">Blocks to make room for in the books.</param>
public sealed unsafe class BlockTable(BlockPool pool, int blocks = 0) : IDisposable
{
    readonly List<BlockHandle> _blocks = new(blocks);
    readonly List<int> _filled = new(blocks); // tokens of each block that are there
    readonly List<nint> _addresses = new(blocks);

    /// <summary>Shape of the blocks.</summary>
    public KvLayout Layout => pool.Layout;

    /// <summary>What stands for the tokens before the first block; null when there are none.</summary>
    public RetainedView? View { get; init; }

    /// <summary>The position in the whole sequence of the first block's first token; here, positions count from there.</summary>
    public int Start => View?.Positions ?? 0;

    /// <summary>How the rows from a position on read only some pages; null when all rows read everything.</summary>
    public PageReads? Pages { get; internal set; }

    /// <summary>Blocks.</summary>
    public int Count => _blocks.Count;

    /// <summary>Tokens from the start whose keys and values are there without a hole: the position of the first that is missing.</summary>
    public int Length { get; private set; }

    /// <summary>Tokens for which there is room.</summary>
    public long Capacity => (long)_blocks.Count * Layout.BlockTokens;

    /// <summary>Tokens of a block that are there, from its start.</summary>
    public int Filled(int block) => _filled[block];

    /// <summary>The handle of a block: a <see cref="BlockLease"/>, or a <see cref="MutableBlock"/> of the sequence's own.</summary>
    public BlockHandle this[int block] => _blocks[block];

    /// <summary>The first position from <paramref name="position"/> on whose key and value are missing.</summary>
    public int NextMissing(int position)
    {
        for (int block = position / Layout.BlockTokens; block < _blocks.Count; block++)
            if (_filled[block] < Layout.BlockTokens)
                return Math.Max(position, block * Layout.BlockTokens + _filled[block]);
        return Math.Max(position, (int)Capacity);
    }

    /// <summary>
    /// The end of the missing positions that begin at <paramref name="position"/>: where the next block begins that is there, be it in
    /// part; without one, there is no end.
    /// </summary>
    public int EndOfMissing(int position)
    {
        int block = position / Layout.BlockTokens + 1;
        while (block < _blocks.Count && _filled[block] == 0)
            block++;
        return block < _blocks.Count ? block * Layout.BlockTokens : int.MaxValue;
    }

    /// <summary>
    /// Makes room for the first <paramref name="tokens"/> tokens; takes all the blocks it needs or, when the pool has too few, none.
    /// </summary>
    /// <returns>Whether there is room now.</returns>
    public bool TryReserve(int tokens)
    {
        int first = _blocks.Count, wanted = Layout.BlocksFor(tokens) - first;
        for (; wanted > 0; wanted--)
            if (!TryAddOwn())
            {
                Truncate(first);
                return false;
            }
        return true;
    }

    /// <summary>
    /// Says that the keys and values of the positions <c>[from, to)</c> are written. Within a block, they follow those that are there.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The positions do not follow what is there, or lie beyond the room.</exception>
    public void Fill(int from, int to)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(to, Capacity);
        for (int position = from; position < to;)
        {
            int block = position / Layout.BlockTokens, start = block * Layout.BlockTokens;
            if (position != start + _filled[block])
                throw new ArgumentOutOfRangeException(nameof(from), position, $"block {block} has its first {_filled[block]} tokens");
            position = Math.Min(to, start + Layout.BlockTokens);
            _filled[block] = position - start;
        }
        FindLength(from / Layout.BlockTokens);
    }

    /// <summary>First byte of a block of the sequence.</summary>
    public byte* Address(int block) => (byte*)_addresses[block];

    /// <summary>How many blocks at the start both tables have at the same place in memory.</summary>
    public int SharedBlocks(BlockTable other) =>
        CollectionsMarshal.AsSpan(_addresses).CommonPrefixLength(CollectionsMarshal.AsSpan(other._addresses));

    /// <summary>
    /// Orders tables so that those beside each other have the most blocks in common, by where the first lies that they do not share.
    /// </summary>
    public int CompareBeginning(BlockTable other) => SharedBlocks(other) is var shared && shared < Math.Min(Count, other.Count)
        ? _addresses[shared].CompareTo(other._addresses[shared]) : Count.CompareTo(other.Count);

    /// <summary>Adds a block of the sequence's own; false when the pool has none.</summary>
    public bool TryAddOwn()
    {
        if (pool.TryAllocate() is not { } block)
            return false;
        Add(block, 0);
        return true;
    }

    /// <summary>Adds a shared block, which is there as a whole.</summary>
    public void Add(BlockLease lease)
    {
        Add(lease, Layout.BlockTokens);
        FindLength(Count - 1);
    }

    /// <summary>Adds a block that lies outside the pool, which is there as a whole.</summary>
    internal void Add(StreamedBlock streamed)
    {
        Append(streamed.Lease, Layout.BlockTokens, streamed.Address);
        FindLength(Count - 1);
    }

    /// <summary>A block is read from outside the pool from now on, in place of what was there, which is given back.</summary>
    internal void Stream(int block, StreamedBlock streamed)
    {
        _blocks[block].Dispose();
        (_blocks[block], _filled[block], _addresses[block]) = (streamed.Lease, Layout.BlockTokens, streamed.Address);
        FindLength(block);
    }

    /// <summary>Where a block that comes through a ring lies until the next one takes its place; only a layer of it is there.</summary>
    internal void Place(int block, byte* address) => _addresses[block] = (nint)address;

    /// <summary>Whether a block is full and exact, and the pool's: it could be read from elsewhere.</summary>
    internal bool IsMovable(int block) => !(Pages?.From < (block + 1) * Layout.BlockTokens)
        && _filled[block] == Layout.BlockTokens && _blocks[block].IsOf(pool)
        && _blocks[block] is not BlockLease { Load: not null } and not BlockLease { HasFailed: true };

    /// <summary>Whether a block has no memory: it was given back, or is to be computed and has none yet.</summary>
    internal bool IsAbsent(int block) => _blocks[block] is AbsentBlock;

    /// <summary>Adds a block without memory, of which so many tokens count as there.</summary>
    internal void AddAbsent(int filled)
    {
        Append(AbsentBlock.Instance, filled, 0);
        FindLength(Count - 1);
    }

    /// <summary>Gives a block back: so many of its tokens count as there all the same, and nobody may read them.</summary>
    internal void Release(int block, int filled)
    {
        _blocks[block].Dispose();
        (_blocks[block], _filled[block], _addresses[block]) = (AbsentBlock.Instance, filled, 0);
        FindLength(block);
    }

    /// <summary>Takes memory for a block that has none, to be filled from its start; false when the pool has none.</summary>
    internal bool TryGiveRoom(int block)
    {
        if (pool.TryAllocate() is not { } own)
            return false;
        Put(block, own, 0);
        return true;
    }

    /// <summary>Puts a shared block in place of one of the sequence's own, which must be spent.</summary>
    public void Replace(int block, BlockLease lease) => Put(block, lease, Layout.BlockTokens);

    /// <summary>
    /// Turns a block into a hole: gives it back and puts an empty one in its place, or cuts the sequence off there when the pool has none.
    /// </summary>
    public void MakeHole(int block)
    {
        _blocks[block].Dispose();
        if (pool.TryAllocate() is { } own)
            Put(block, own, 0);
        else
            Truncate(block);
    }

    /// <summary>Gives all blocks back.</summary>
    public void Dispose() => Clear();

    /// <summary>Forgets all tokens and gives their blocks back; the table may be used again.</summary>
    public void Clear() => Truncate(0);

    /// <summary>Gives the blocks from one on back, the last first: what the others stand on stays in the pool for longer.</summary>
    public void Truncate(int block)
    {
        for (int i = _blocks.Count - 1; i >= block; i--)
            _blocks[i].Dispose();
        _blocks.RemoveRange(block, _blocks.Count - block);
        _filled.RemoveRange(block, _filled.Count - block);
        _addresses.RemoveRange(block, _addresses.Count - block);
        FindLength(block);
    }

    /// <summary>Forgets the tokens from a position on, which must not lie within a shared block.</summary>
    public void Cut(int tokens)
    {
        if (Length <= tokens)
            return;
        Truncate(Layout.BlocksFor(tokens));
        if (tokens % Layout.BlockTokens is > 0 and var rest)
            _filled[^1] = rest;
        FindLength(tokens / Layout.BlockTokens);
    }

    void Add(BlockHandle handle, int filled) => Append(handle, filled, (nint)pool.Address(handle));

    void Append(BlockHandle handle, int filled, nint address)
    {
        _blocks.Add(handle);
        _filled.Add(filled);
        _addresses.Add(address);
    }

    void Put(int block, BlockHandle handle, int filled)
    {
        (_blocks[block], _filled[block], _addresses[block]) = (handle, filled, (nint)pool.Address(handle));
        FindLength(block);
    }

    /// <summary>Finds the first missing position after a block, and perhaps those behind it, changed.</summary>
    void FindLength(int changed)
    {
        int block = Math.Min(Length / Layout.BlockTokens, changed);
        while (block < _blocks.Count && _filled[block] == Layout.BlockTokens)
            block++;
        Length = block * Layout.BlockTokens + (block < _blocks.Count ? _filled[block] : 0);
        Pages?.Truncate(Length);
    }
}
