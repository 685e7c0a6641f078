using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Blocks;

/// <summary>One block on its way from a tier into memory.</summary>
public sealed unsafe class LoadedBlock
{
    readonly byte* _destination;
    readonly BlockLease? _target;
    readonly BlockPool? _pool;
    readonly int[] _tokens;
    NativeBuffer? _staging;
    int _failed;

    /// <summary>A block that is read into plain memory.</summary>
    /// <param name="key">Its key.</param>
    /// <param name="parent">The key of the block before it, or the root.</param>
    /// <param name="tokens">Its tokens.</param>
    /// <param name="place">Where the tier found it.</param>
    /// <param name="destination">Whole pages of the host's memory, at a page: <see cref="KvLayout.StrideBytes"/>.</param>
    public LoadedBlock(BlockKey key, BlockKey parent, int[] tokens, long place, byte* destination)
    {
        (Key, Parent, _tokens, Place) = (key, parent, tokens, place);
        _destination = destination;
    }

    /// <summary>A block of a pool that is registered already and waits for its content.</summary>
    internal LoadedBlock(BlockPool pool, BlockLease target, long place)
        : this(target.Key, target.Parent, target.Tokens.ToArray(), place, null)
    {
        (_pool, _target) = (pool, target);
        _staging = pool.Arena.IsHostMemory ? null : new NativeBuffer((int)pool.Layout.StrideBytes);
        _destination = _staging is null ? pool.Address(target) : _staging.Address;
    }

    /// <summary>Its key.</summary>
    public BlockKey Key { get; }

    /// <summary>The key of the block before it, or the root.</summary>
    public BlockKey Parent { get; }

    /// <summary>Its tokens.</summary>
    public ReadOnlySpan<int> Tokens => _tokens;

    /// <summary>Where the tier found it, in a way that the tier alone understands.</summary>
    public long Place { get; }

    /// <summary>Where it goes: memory of the host, whole pages, at a page.</summary>
    public byte* Destination => _destination;

    /// <summary>Why it does not come; <see cref="ReadOutcome.Ok"/> as long as it does.</summary>
    public ReadOutcome Outcome { get; private set; }

    /// <summary>What the tier holds until all of the block has come, or will not come; disposed then.</summary>
    public IDisposable? Source { get; set; }

    internal int GroupsLeft;

    /// <summary>Whether it is the block that a lease of the pool is of.</summary>
    internal bool IsFor(BlockLease lease) => _target is not null && _target.Id == lease.Id;

    /// <summary>Whether anybody waits for it, as far as is known: nobody does when all have given their leases back.</summary>
    internal bool IsWanted => _target is null || _pool!.IsShared(_target.Id);

    internal bool TryFail(ReadOutcome outcome)
    {
        if (Interlocked.Exchange(ref _failed, 1) != 0)
            return false;
        Outcome = outcome;
        _target?.MakeVoid();
        return true;
    }

    /// <summary>What has come moves on, if the pool's memory is elsewhere.</summary>
    internal void Land(LayerGroup part)
    {
        if (_staging is not null)
            _pool!.Arena.Write(_target!.Id, part.Offset, _staging.Address + part.Offset, part.Bytes);
    }

    internal void End()
    {
        Source?.Dispose();
        _target?.EndLoad();
        _target?.Dispose();
        _staging?.Dispose();
        _staging = null;
    }
}
