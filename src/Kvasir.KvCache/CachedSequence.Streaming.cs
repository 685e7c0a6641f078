using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Streaming;

namespace Kvasir.KvCache;

/// <summary>What of a sequence lies outside the pool, when the pool is too small for it.</summary>
public sealed partial class CachedSequence
{
    PrefixLookup? _unplaced; // what was found and had no room in the pool yet

    /// <summary>Blocks of the sequence that are read from outside the pool.</summary>
    internal int StreamedBlocks => CountOf(_cache.Streamed?.Host) + BlocksOnDisk;

    /// <summary>Of those, blocks that come from the disk in every pass.</summary>
    internal int BlocksOnDisk => CountOf(_cache.Streamed?.File);

    /// <summary>Blocks in the pool that could be read from elsewhere.</summary>
    internal int MovableBlocks => Enumerable.Range(0, _cache.Streamed is null ? 0 : Table.Count).Count(Table.IsMovable);

    /// <summary>Blocks that the sequence would take, wherever they lie, to hold so many tokens.</summary>
    internal int AllBlocksWanted(ReadOnlySpan<int> tokens) => _cache.Layout.BlocksFor(tokens.Length + 1) - Table.Count;

    int CountOf(BlockBooks? books)
    {
        int count = 0;
        for (int block = 0; books is not null && block < Table.Count; block++)
            count += Table[block].IsOf(books) ? 1 : 0;
        return count;
    }

    StreamUse? StreamedNow() => StreamedBlocks is > 0 and var streamed && BlocksOnDisk is var onDisk
        ? new StreamUse(Table.Count, streamed - onDisk, onDisk, onDisk * _cache.Layout.BlockBytes) : null;

    /// <summary>
    /// Moves blocks that are full out of the pool, the oldest first, to where attention reads them all the same. Not while a pass is
    /// computed.
    /// </summary>
    /// <returns>False when there are none, or no room for them anywhere.</returns>
    internal bool TryMoveOut()
    {
        if (_cache.Streamed is not { } streamed)
            return false;
        List<int> blocks = NextToMove();
        if (blocks.Count == 0)
            return streamed.Writer?.WaitFor(_ => true) == true; // which holds some of the pool
        List<StreamedBlock> moved = streamed.Take([.. blocks.Select(ToWrite)]);
        for (int i = 0; i < moved.Count; i++)
            Table.Stream(blocks[i], moved[i]);
        return moved.Count > 0;
    }

    List<int> NextToMove()
    {
        List<int> blocks = [];
        for (int block = 0; block < Table.Count && blocks.Count < StreamFile.MostAtOnce; block++)
            if (Table.IsMovable(block))
                blocks.Add(block);
        return blocks;
    }

    /// <summary>
    /// Has the blocks written to the disk that will be moved there next, while a pass is computed: the pool is nearly full. Those of a
    /// sequence that shares nothing are written when they are moved.
    /// </summary>
    internal void WriteAhead()
    {
        if (_cache.Streamed is { File: not null } streamed && _sharing && !IsWaiting
            && _cache.Device.Counts is var counts && counts.Free + counts.Cached < streamed.Options.Resident + StreamFile.MostAtOnce)
            streamed.Expect(NextToMove().Select(block => Table[block]).OfType<BlockLease>().Select(lease => lease.Key));
    }

    unsafe BlockWrite ToWrite(int block)
    {
        nint payload = (nint)Table.Address(block);
        return Table[block] is BlockLease lease
            ? new BlockWrite(lease.Key, lease.Parent, lease.Tokens.ToArray(), payload)
            : new BlockWrite(KeyChain.Next(_root, [block]), _root, [], payload); // of a sequence that shares nothing: nobody looks for it
    }

    /// <summary>Blocks that nobody can look for when the sequence is gone.</summary>
    BlockKey[] UnsharedKeys() => _sharing || _cache.Streamed is null
        ? [] : [.. Enumerable.Range(0, Table.Count).Select(block => Table[block]).OfType<BlockLease>().Select(lease => lease.Key)];

    /// <summary>The pool has a block for what comes next, if this sequence can do anything about it.</summary>
    void MakeRoomForOne()
    {
        if (_cache.Streamed is not null && _cache.Device.Counts is { Free: 0, Cached: 0 })
            TryMoveOut();
    }

    /// <summary>Reads a block from where it lies, outside the pool, if it does.</summary>
    bool TryStream(int block, ReadOnlySpan<int> tokens)
    {
        if (_cache.Streamed?.TryFind(_keys[block], _keys.TokensOf(tokens, block)) is not { } streamed)
            return false;
        int own = block < Table.Count ? Table.Filled(block) : 0;
        if (block < Table.Count)
            Table.Stream(block, streamed);
        else
            Table.Add(streamed);
        Use.Reuse(streamed.Address == 0 ? Tier.Disk : Tier.Host, block * BlockTokens + own, (block + 1) * BlockTokens);
        return true;
    }

    /// <summary>Brings in more of what was found, when what found room has come.</summary>
    void PlaceRest(ReadOnlySpan<int> tokens)
    {
        if (_unplaced is not { } rest || !HasArrived)
            return;
        WaitForAll();
        PlaceBlocks(tokens, rest);
    }

    /// <summary>Why the sequence cannot go on; null as long as it can.</summary>
    internal string? Failure { get; private set; }

    /// <summary>
    /// Slots of the disk did not come as they were written: the sequence's blocks in them are holes from now on, or its end where the pool
    /// has no room for a hole. While the disk keeps failing there is no use in it: that is <see cref="Failure"/>.
    /// </summary>
    internal void LoseStreamed(IReadOnlyList<int> slots)
    {
        if (slots.Count == 0 || _cache.Streamed?.File is not { } file)
            return;
        Table.Pages?.ForgetPages();
        List<int> lost = [];
        for (int block = 0; block < Table.Count; block++)
            if (Table[block] is BlockLease lease && lease.IsOf(file) && slots.Contains(lease.Id.Index))
            {
                lost.Add(block);
                if (!lease.HasFailed)
                    lease.MakeVoid();
            }
        if (lost.Count > 0 && file.IsBroken)
            Failure = $"the disk that the context is streamed from keeps failing: {file.Problem}";
        foreach (int block in lost)
            Lose(block);
    }

    void Lose(int block)
    {
        Windows?.IsStale = true;
        if (block >= Table.Count)
            return;
        MakeRoomForOne();
        Use.Lose(block * BlockTokens, (block + 1) * BlockTokens);
        Use.Add(new Miss(block * BlockTokens, (block + 1) * BlockTokens, MissReason.LoadFailed, Tier.Disk));
        Table.MakeHole(block);
        Use.Lose(Table.Count * BlockTokens, int.MaxValue - Table.Start); // where that was its end
    }
}
