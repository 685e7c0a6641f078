using System.Diagnostics;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache;

/// <summary>
/// What a sequence waits for: loads of blocks on their way into the pool, its own and those of others, and a tail that is
/// to be copied from one of them.
/// </summary>
sealed class PendingLoads(TieredKvCache cache, BlockTable table)
{
    static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(20);

    readonly Dictionary<object, OwnLoad> _own = []; // of the blocks that are wanted from each tier or peer, until they start and after
    readonly List<BlockLoad> _loads = [], _late = [];
    BlockLease? _tailSource;
    int _tailBlock, _groupsReady;
    long _start;
    TimeSpan _patience;

    /// <summary>A lease of a block that is on its way as soon as <see cref="Start"/> is called; null when the pool has no room.</summary>
    public BlockLease? Want(ITier tier, BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens, long place) =>
        Want(tier, tier.Tier, tier.Load, key, parent, tokens, place);

    /// <summary>The same for a block that another machine brings.</summary>
    public BlockLease? Want(IPeer peer, PrefixQuery prompt, int block) =>
        Want(peer, Tier.Peer, load => peer.Load(prompt, load), prompt.Keys[block], prompt.Before(block), prompt.TokensOf(block), block);

    BlockLease? Want(object source, Tier from, Action<BlockLoad> begin, BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens, long place)
    {
        if (cache.Device.TryAllocate() is not { } room)
            return null;
        if (!_own.TryGetValue(source, out OwnLoad? own))
            _own[source] = own = new OwnLoad(cache.NewLoad(from), begin, []);
        BlockLease lease = room.Announce(key, parent, tokens, own.Load);
        if (lease.Load == own.Load) // or somebody else was faster
            own.Wanted.Add(new LoadedBlock(cache.Device, lease.Share(), place));
        return lease;
    }

    /// <summary>
    /// Takes note of a block that may be on its way; one that is there needs no waiting. False when its content will not come.
    /// </summary>
    public bool Expect(BlockLease lease)
    {
        if (lease.Load is not { } load) // read once, and before the failure: a block that fails is void before its load ends
            return !lease.HasFailed;
        if (!_loads.Contains(load))
            _loads.Add(load);
        _groupsReady = 0;
        return true;
    }

    /// <summary>The first tokens of a block of the table are to be copied from another block, which is expected.</summary>
    public void TakeOver(int block, BlockLease source)
    {
        (_tailBlock, _tailSource) = (block, source);
        if (_loads.Count > 0)
            return; // perhaps not for this one, but then it is copied with the others
        cache.Device.Arena.Copy(source.Id, table[block].Id, 0, cache.Layout.BlockBytes);
        EndTail();
    }

    /// <summary>
    /// Begins to load what is wanted. Waiting may take as long as computing it would, and ends as soon as the pace says that it would take
    /// longer.
    /// </summary>
    public void Start()
    {
        foreach ((object source, OwnLoad own) in _own.ToArray())
        {
            if (own.Wanted.Count == 0)
                continue;
            own.Load.Begin([.. own.Wanted]);
            own.Wanted.Clear();
            own.Begin(own.Load);
            if (!_loads.Contains(own.Load))
                _own.Remove(source); // nobody waits for what found no room in the table, but it comes all the same
        }
        if (_loads.Count == 0)
            return;
        int blocks = _loads.Sum(load => load.Blocks.Count);
        (_start, _patience) = (Stopwatch.GetTimestamp(), cache.Costs.PatienceToLoad(blocks * cache.Layout.BlockTokens));
    }

    /// <summary>Waits for a layer; false when blocks have become holes.</summary>
    public bool Wait(int layer, CacheUse use)
    {
        if (_loads.Count == 0)
            return true;
        int group = GroupOf(layer);
        if (group < _groupsReady)
            return true;
        _late.Clear();
        foreach (BlockLoad load in _loads)
            if (!HasCome(load, group))
                _late.Add(load);
        int holes = _late.Count == 0 && !_loads.Exists(load => load.AnyFailed) ? 0 : MakeHoles(use);
        CopyTail(group);
        _groupsReady = group + 1;
        _loads.RemoveAll(_late.Contains); // nothing here waits for them any more
        if (_loads.Count == 0 || _groupsReady == cache.Groups.Length)
            End(use);
        return holes == 0;
    }

    /// <summary>Whether something is still on its way.</summary>
    public bool Any => _loads.Count > 0;

    /// <summary>Whether some of it comes from other machines, block by block: no layer is there before the last block is.</summary>
    public bool AnyOfPeers => _loads.Exists(load => load.From == Tier.Peer);

    /// <summary>Whether waiting for all of it would be over at once.</summary>
    public bool AreOver => _loads.TrueForAll(load => load.Wait(cache.Groups.Length - 1, TimeSpan.Zero) || IsLate(load));

    /// <summary>Waits for all layers.</summary>
    public void WaitForAll(CacheUse use) => Wait(cache.Layout.Layers.Length - 1, use);

    /// <summary>Waits no more. Whoever brings the blocks holds leases of its own; a tail that is not copied yet never was there.</summary>
    public void Abandon()
    {
        if (_tailSource is not null && _tailBlock < table.Count)
            table.Truncate(_tailBlock);
        Forget();
    }

    /// <summary>Waits for a group of a load; false when that is not worth waiting for.</summary>
    bool HasCome(BlockLoad load, int group)
    {
        while (!load.Wait(group, s_look))
            if (IsLate(load))
                return load.Wait(group, TimeSpan.Zero);
        return true;
    }

    /// <summary>
    /// Whether a load has taken as long as computing would, or would at the pace so far. A peer computes itself, and sees to it that its
    /// loads end.
    /// </summary>
    bool IsLate(BlockLoad load) => load.From != Tier.Peer && cache.Costs.IsLate(load.From, Stopwatch.GetElapsedTime(_start), _patience, load.Share);

    /// <summary>
    /// Blocks that failed, or have not come yet after all this time, become holes. Their memory goes back when
    /// nothing writes to it any more.
    /// </summary>
    int MakeHoles(CacheUse use)
    {
        int holes = 0;
        for (int block = 0; block < table.Count; block++)
            if (table[block] is BlockLease lease && WillNotCome(lease))
            {
                Blame(lease, block * cache.Layout.BlockTokens, cache.Layout.BlockTokens, use);
                table.MakeHole(block);
                holes++;
            }
        if (_tailBlock >= table.Count)
            EndTail();
        else if (_tailSource is not null && WillNotCome(_tailSource))
        {
            Blame(_tailSource, _tailBlock * cache.Layout.BlockTokens, table.Filled(_tailBlock), use);
            EndTail();
            table.MakeHole(_tailBlock);
            holes++;
        }
        return holes;
    }

    /// <summary>In this order: a block that fails is void before its load ends.</summary>
    bool WillNotCome(BlockLease lease) => lease.Load is { } load && _late.Contains(load) || lease.HasFailed;

    void Blame(BlockLease lease, int from, int tokens, CacheUse use)
    {
        BlockLoad? load = _loads.Find(load => load.Blocks.Any(block => block.IsFor(lease)));
        Tier tier = load?.From ?? Tier.Disk;
        use.Lose(from, from + tokens);
        use.Add(lease.HasFailed
            ? new Miss(from, from + tokens, MissReason.LoadFailed, tier,
                Detail: load?.Blocks.First(block => block.IsFor(lease)).Outcome.Name())
            : new Miss(from, from + tokens, MissReason.TooLate, tier));
    }

    /// <summary>
    /// Copies the groups up to one that are not copied yet; all that are left, when the source is there as a whole and
    /// nobody will wait for it again.
    /// </summary>
    void CopyTail(int group)
    {
        if (_tailSource is not { } source)
            return;
        bool whole = source.Load is null;
        long from = cache.Groups[_groupsReady].Offset,
            to = whole ? cache.Layout.BlockBytes : cache.Groups[group].Offset + cache.Groups[group].Bytes;
        cache.Device.Arena.Copy(source.Id, table[_tailBlock].Id, from, to - from);
        if (whole)
            EndTail();
    }

    void EndTail()
    {
        _tailSource?.Dispose();
        _tailSource = null;
    }

    /// <summary>Accounts for its own loads, which came side by side.</summary>
    void End(CacheUse use)
    {
        foreach (OwnLoad own in _own.Values)
        {
            use.AddPeer(own.Load);
            use.RestoredBytes += own.Load.Blocks.Count(block => block.Outcome == ReadOutcome.Ok) * cache.Layout.BlockBytes;
        }
        if (_own.Count > 0)
            use.RestoreTime += _own.Values.Max(own => own.Load.Time);
        Forget();
    }

    void Forget()
    {
        _own.Clear();
        _groupsReady = 0;
        _loads.Clear();
        EndTail();
    }

    int GroupOf(int layer)
    {
        int group = 0;
        while (cache.Groups[group].EndLayer <= layer)
            group++;
        return group;
    }

    sealed record OwnLoad(BlockLoad Load, Action<BlockLoad> Begin, List<LoadedBlock> Wanted);
}
