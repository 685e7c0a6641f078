using System.Diagnostics;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>What a sequence waits for: blocks on their way into the pool, and a tail that is to be copied from one of them.</summary>
sealed unsafe class Arrivals(TieredKvCache cache, BlockTable table)
{
    static readonly TimeSpan s_leastPatience = TimeSpan.FromMilliseconds(100), s_mostPatience = TimeSpan.FromSeconds(30);

    readonly List<OnboardingBlock> _wanted = [];
    readonly List<Onboarding> _loads = [], _late = [];
    Onboarding? _own; // of the blocks that are wanted, until it starts and after
    BlockLease? _tailSource;
    int _tailBlock, _groupsReady;
    long _deadline;

    /// <summary>A lease of a block that is on its way as soon as <see cref="Start"/> is called; null when the pool has no room or the tier has lost it.</summary>
    public BlockLease? Want(Tier tier, BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens, int slot)
    {
        BlockLease? host = tier == Tier.Host ? cache.Host!.TryFind(key, tokens) : null;
        if (tier == Tier.Host && host is null)
            return null;
        return Want(tier, key, parent, tokens, slot, host);
    }

    /// <summary>The same for a block of which the first tokens are wanted.</summary>
    public BlockLease? WantTail(Tier tier, BlockKey key, BlockKey parent)
    {
        if (tier == Tier.Host)
            return cache.Host!.TryFind(key) is { } host ? Want(tier, key, parent, host.Tokens, -1, host) : null;
        return cache.Disk!.TryFind(key, out int slot) && cache.Disk.Tokens(key) is { } tokens ? Want(tier, key, parent, tokens, slot, null) : null;
    }

    BlockLease? Want(Tier tier, BlockKey key, BlockKey parent, ReadOnlySpan<int> tokens, int slot, BlockLease? host)
    {
        if (cache.Device.TryAllocate() is not { } room)
        {
            host?.Dispose();
            return null;
        }
        _own ??= new Onboarding(cache.Groups);
        BlockLease lease = room.Await(key, parent, tokens, _own);
        if (lease.Load == _own)
            _wanted.Add(new OnboardingBlock(lease.Share(), tier, host, slot));
        else
            host?.Dispose(); // somebody else was faster
        return lease;
    }

    /// <summary>Waits for a block that is on its way; one that is there needs no waiting. False when its content will not come.</summary>
    public bool Await(BlockLease lease)
    {
        if (lease.Load is not { } load) // read once, and before the failure: a block that fails is void before its load ends
            return !lease.HasFailed;
        if (!_loads.Contains(load))
            _loads.Add(load);
        _groupsReady = 0;
        return true;
    }

    /// <summary>The first tokens of a block of the table are to be copied from another block, for which <see cref="Await"/> was called.</summary>
    public void TakeOver(int block, BlockLease source)
    {
        (_tailBlock, _tailSource) = (block, source);
        if (_loads.Count > 0)
            return; // perhaps not for this one, but then it is copied with the others
        BlockCopy.Copy(source.Address, table.Address(block), cache.Layout.BlockBytes);
        EndTail();
    }

    /// <summary>Begins to load what is wanted. Waiting may take as long as computing it would: then at most twice as long as the better choice.</summary>
    public void Start()
    {
        if (_own is { } own)
        {
            own.Begin([.. _wanted]);
            cache.Start(own);
            _wanted.Clear();
            _own = _loads.Contains(own) ? own : null; // nobody waits for what found no room in the table, but it comes all the same
        }
        if (_loads.Count == 0)
            return;
        int blocks = _loads.Sum(load => load.Blocks.Count);
        TimeSpan compute = cache.Costs.ComputeTime(blocks * cache.Layout.BlockTokens);
        TimeSpan patience = compute < s_leastPatience ? s_leastPatience : compute > s_mostPatience ? s_mostPatience : compute;
        _deadline = Stopwatch.GetTimestamp() + (long)(patience.TotalSeconds * Stopwatch.Frequency);
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
        foreach (Onboarding load in _loads)
            if (!load.Wait(group, Rest()))
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

    /// <summary>Whether waiting for all of it would be over at once.</summary>
    public bool AreOver => Rest() == TimeSpan.Zero || _loads.TrueForAll(load => load.Wait(cache.Groups.Length - 1, TimeSpan.Zero));

    /// <summary>Waits for all layers.</summary>
    public void WaitForAll(CacheUse use) => Wait(cache.Layout.Layers.Length - 1, use);

    /// <summary>Waits no more. Whoever brings the blocks holds leases of its own; a tail that is not copied yet never was there.</summary>
    public void Abandon()
    {
        if (_tailSource is not null && _tailBlock < table.Count)
            table.Truncate(_tailBlock);
        (_own, _groupsReady) = (null, 0);
        _loads.Clear();
        EndTail();
    }

    TimeSpan Rest()
    {
        TimeSpan rest = Stopwatch.GetElapsedTime(Stopwatch.GetTimestamp(), _deadline);
        return rest > TimeSpan.Zero ? rest : TimeSpan.Zero;
    }

    /// <summary>Blocks that failed, or have not come yet after all this time, become holes. Their memory goes back when nothing writes to it any more.</summary>
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
        OnboardingBlock? block = _loads.SelectMany(load => load.Blocks).FirstOrDefault(block => block.Target.Id == lease.Id);
        Tier tier = block?.From ?? Tier.Disk;
        use.Lose(from, from + tokens);
        use.Add(lease.HasFailed
            ? new Miss(from, from + tokens, MissReason.LoadFailed, tier, Detail: block?.Outcome.ToString())
            : new Miss(from, from + tokens, MissReason.TooLate, tier));
    }

    /// <summary>Copies the groups up to one that are not copied yet; all that are left, when the source is there as a whole and nobody will wait for it again.</summary>
    void CopyTail(int group)
    {
        if (_tailSource is not { } source)
            return;
        bool whole = source.Load is null;
        long from = cache.Groups[_groupsReady].Offset, to = whole ? cache.Layout.BlockBytes : cache.Groups[group].Offset + cache.Groups[group].Bytes;
        BlockCopy.Copy(source.Address + from, table.Address(_tailBlock) + from, to - from);
        if (whole)
            EndTail();
    }

    void EndTail()
    {
        _tailSource?.Dispose();
        _tailSource = null;
    }

    void End(CacheUse use)
    {
        if (_own is not null)
        {
            use.RestoredBytes += _own.Blocks.Count(block => block.Failed == 0) * cache.Layout.BlockBytes;
            use.RestoreTime += _own.Time;
        }
        (_own, _groupsReady) = (null, 0);
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
}
