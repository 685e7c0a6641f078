using Kvasir.KvCache.Eviction;

namespace Kvasir.KvCache.Routing;

/// <summary>
/// Which nodes have which prefixes, about: what a router was told and what it sent there itself. A prompt is a chain of hashes, of which
/// each covers a piece of the prompt and everything before it. Of each node as many are remembered as fit, those that were named last. What
/// it says may be wrong: that costs time only. Thread-safe.
/// </summary>
/// <param name="capacity">Hashes to remember of each node; at least 1.</param>
/// <remarks>
/// Flat, not a radix tree as SGLang's router keeps: a hash names its whole prefix, so that no chain has to be walked to judge one piece,
/// and a cache with holes is counted as what it is.
/// </remarks>
public sealed class PrefixMap(int capacity)
{
    readonly int _capacity = capacity > 0 ? capacity : throw new ArgumentOutOfRangeException(nameof(capacity), capacity, "at least 1");
    Node[] _nodes = [];

    /// <summary>A node has the pieces of a chain, or of a part of one: hashes in the order of their depth.</summary>
    /// <param name="node">The node's number, from 0; numbers are small.</param>
    /// <param name="chain">The hashes.</param>
    public void Add(int node, ReadOnlySpan<ulong> chain) => Of(node).Add(chain, _capacity);

    /// <summary>A node has certain pieces no more.</summary>
    public void Remove(int node, ReadOnlySpan<ulong> hashes) => Of(node).Remove(hashes);

    /// <summary>A node has nothing.</summary>
    public void Clear(int node) => Of(node).Clear();

    /// <summary>Hashes that are remembered of a node.</summary>
    public int Count(int node) => Of(node).Count;

    /// <summary>Pieces of a chain that a node has. A cache uses what lies behind a hole, too, so all of them count.</summary>
    public int Known(int node, ReadOnlySpan<ulong> chain) => Of(node).Known(chain);

    /// <summary>Hashes of a node that none of some others has: what is lost with it.</summary>
    public int CountOnly(int node, ReadOnlySpan<int> others)
    {
        int only = 0;
        foreach (ulong hash in Of(node).All())
        {
            bool isElsewhere = false;
            foreach (int other in others)
                isElsewhere |= other != node && Of(other).Known([hash]) > 0;
            only += isElsewhere ? 0 : 1;
        }
        return only;
    }

    Node Of(int node)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(node);
        Node[] nodes = Volatile.Read(ref _nodes);
        while (node >= nodes.Length)
        {
            Node[] more = [.. nodes, .. Enumerable.Range(nodes.Length, node + 1 - nodes.Length).Select(_ => new Node())];
            Node[] seen = Interlocked.CompareExchange(ref _nodes, more, nodes);
            nodes = seen == nodes ? more : seen;
        }
        return nodes[node];
    }

    /// <summary>What is known of one node, in the order of use: of a chain the deepest goes first, as caches evict.</summary>
    sealed class Node
    {
        readonly Lock _lock = new();
        readonly Dictionary<ulong, int> _slots = [];
        readonly SlotQueue _order = new();
        readonly Stack<int> _free = [];
        ulong[] _hashes = [];

        public int Count
        {
            get
            {
                lock (_lock)
                    return _slots.Count;
            }
        }

        public ulong[] All()
        {
            lock (_lock)
                return [.. _slots.Keys];
        }

        public void Add(ReadOnlySpan<ulong> chain, int capacity)
        {
            lock (_lock)
                for (int piece = chain.Length - 1; piece >= 0; piece--)
                    if (_slots.TryGetValue(chain[piece], out int slot))
                        _order.Renew(slot);
                    else
                        Take(chain[piece], capacity);
        }

        public void Remove(ReadOnlySpan<ulong> hashes)
        {
            lock (_lock)
                foreach (ulong hash in hashes)
                    if (_slots.TryGetValue(hash, out int slot))
                        Forget(slot);
        }

        public void Clear()
        {
            lock (_lock)
                while (_order.Oldest is var oldest and not SlotQueue.None)
                    Forget(oldest);
        }

        public int Known(ReadOnlySpan<ulong> chain)
        {
            int known = 0;
            lock (_lock)
                foreach (ulong hash in chain)
                    if (_slots.ContainsKey(hash))
                        known++;
            return known;
        }

        void Take(ulong hash, int capacity)
        {
            if (_slots.Count == capacity)
                Forget(_order.Oldest);
            int slot = _free.TryPop(out int free) ? free : _slots.Count;
            if (slot >= _hashes.Length)
                Array.Resize(ref _hashes, Math.Min(capacity, Math.Max(64, 2 * _hashes.Length)));
            _hashes[slot] = hash;
            _slots.Add(hash, slot);
            _order.Add(slot);
        }

        void Forget(int slot)
        {
            _order.Remove(slot);
            _slots.Remove(_hashes[slot]);
            _free.Push(slot);
        }
    }
}
