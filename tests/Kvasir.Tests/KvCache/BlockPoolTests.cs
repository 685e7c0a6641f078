using System.Security.Cryptography;
using CsCheck;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.Tests.KvCache;

public class BlockPoolTests
{
    const int Blocks = 6;

    static readonly KvLayout s_layout = new(16, F16Codec.Instance, [new KvLayer(new LayerState.Full(), 1, 8, 0)]);

    static BlockKey Key(int name) => new(new Digest(SHA256.HashData([(byte)name])));

    /// <summary>
    /// Random histories of a pool, step by step against a naive model: who holds what is kept in lists, what is registered in a
    /// dictionary. After every step the pool's counts are the model's, every block is in one stage, and each registered block
    /// still has the bytes of its key.
    /// </summary>
    [Fact]
    public void The_pool_behaves_like_a_dictionary_with_lists() =>
        Gen.Select(Gen.Int[0, 7], Gen.Int[0, 9], Gen.Int[0, 1000]).Array[0, 120].Sample(steps =>
        {
            using var pool = new BlockPool(s_layout, new NativeArena(s_layout, Blocks));
            var model = new PoolModel(pool);
            foreach ((int action, int name, int choice) in steps)
                model.Step(action, name, choice);
            model.ReleaseAll();
            Assert.Equal(new PoolCounts(Blocks - model.Registered, model.Registered, 0, 0), pool.CheckConservation());
        }, iter: 3000, seed: "0N0XIzNsQ0O2");

    sealed class PoolModel(BlockPool pool)
    {
        readonly List<(MutableBlock Block, int Name)> _mutable = [];
        readonly List<(CompleteBlock Block, int Name)> _complete = [];
        readonly List<(BlockLease Lease, int Name)> _leases = [];
        readonly List<int> _registered = []; // names; the unleased among them in the order in which they became so
        readonly List<int> _cachedOrder = [];

        public int Registered => _registered.Count;

        public void Step(int action, int name, int choice)
        {
            switch (action)
            {
                case 0 or 1: Allocate(name); break;
                case 2: Move(_mutable, choice, (b, n) => _complete.Add((b.Complete(), n))); break;
                case 3: Move(_complete, choice, Register); break;
                case 4: Move(_leases, choice, (lease, n) => { _leases.Add((lease, n)); _leases.Add((lease.Share(), n)); }); break;
                case 5: Find(name); break;
                case 6: Move(_leases, choice, (lease, n) => Release(lease, n)); break;
                default: Drop(choice); break;
            }
            Check();
        }

        public void ReleaseAll()
        {
            _mutable.ForEach(held => held.Block.Dispose());
            _complete.ForEach(held => held.Block.Dispose());
            foreach ((BlockLease lease, int name) in _leases.ToArray())
                Release(lease, name);
        }

        int Held => _mutable.Count + _complete.Count + _leases.Select(held => held.Name).Distinct().Count();

        void Allocate(int name)
        {
            bool full = Held + _cachedOrder.Count == Blocks;
            MutableBlock? block = pool.TryAllocate();
            Assert.Equal(Held == Blocks, block is null);
            if (block is null)
                return;
            if (full) // the longest unused cached block had to go
            {
                _registered.Remove(_cachedOrder[0]);
                _cachedOrder.RemoveAt(0);
            }
            pool.Bytes(block).Fill((byte)(name + 1));
            _mutable.Add((block, name));
        }

        void Register(CompleteBlock block, int name)
        {
            BlockLease lease = block.Register(Key(name), default, [name]);
            Assert.True(block.IsSpent);
            Lease(lease, name);
            if (!_registered.Contains(name))
                _registered.Add(name);
        }

        void Find(int name)
        {
            BlockLease? lease = pool.TryFind(Key(name));
            Assert.Equal(_registered.Contains(name), lease is not null);
            if (lease is not null)
                Lease(lease, name);
        }

        void Lease(BlockLease lease, int name)
        {
            Assert.Equal(Key(name), lease.Key);
            _cachedOrder.Remove(name);
            _leases.Add((lease, name));
        }

        void Release(BlockLease lease, int name)
        {
            lease.Dispose();
            lease.Dispose(); // a second time does nothing
            _leases.RemoveAll(held => ReferenceEquals(held.Lease, lease));
            if (!_leases.Exists(held => held.Name == name))
                _cachedOrder.Add(name);
        }

        void Drop(int choice)
        {
            if (choice % 2 == 0)
                Move(_mutable, choice, (block, _) => block.Dispose());
            else
                Move(_complete, choice, (block, _) => block.Dispose());
        }

        static void Move<T>(List<(T, int)> from, int choice, Action<T, int> to)
        {
            if (from.Count == 0)
                return;
            (T item, int name) = from[choice % from.Count];
            from.RemoveAt(choice % from.Count);
            to(item, name);
        }

        void Check()
        {
            var expected = new PoolCounts(Blocks - Held - _cachedOrder.Count, _cachedOrder.Count,
                _leases.Select(held => held.Name).Distinct().Count(), _mutable.Count + _complete.Count);
            Assert.Equal(expected, pool.Counts);
            Assert.Equal(expected, pool.CheckConservation());
            foreach ((BlockLease lease, int name) in _leases)
                Assert.False(pool.Bytes(lease).ContainsAnyExcept((byte)(name + 1)));
        }
    }

    [Fact]
    public void A_spent_handle_is_refused()
    {
        using var pool = new BlockPool(s_layout, new NativeArena(s_layout, Blocks));
        MutableBlock mutable = pool.TryAllocate()!;
        CompleteBlock complete = mutable.Complete();
        Assert.Throws<ObjectDisposedException>(() => mutable.Complete());
        Assert.Throws<ObjectDisposedException>(() => pool.Bytes(mutable).Length);
        BlockLease lease = complete.Register(Key(1), default, [1]);
        Assert.Throws<ObjectDisposedException>(() => complete.Register(Key(2), default, [2]));
        lease.Dispose();
        Assert.Throws<ObjectDisposedException>(lease.Share);
        Assert.Equal(new PoolCounts(Blocks - 1, 1, 0, 0), pool.CheckConservation());
    }

    [Fact]
    public void Registering_the_same_key_twice_keeps_one_block()
    {
        using var pool = new BlockPool(s_layout, new NativeArena(s_layout, Blocks));
        using BlockLease first = pool.TryAllocate()!.Complete().Register(Key(1), default, [1]);
        using BlockLease second = pool.TryAllocate()!.Complete().Register(Key(1), default, [1]);
        Assert.Equal(first.Id, second.Id);
        Assert.Equal(new PoolCounts(Blocks - 1, 0, 1, 0), pool.CheckConservation());
    }

    [Fact]
    public void A_leased_block_is_never_evicted()
    {
        using var pool = new BlockPool(s_layout, new NativeArena(s_layout, 2));
        using BlockLease lease = pool.TryAllocate()!.Complete().Register(Key(1), default, [1]);
        pool.TryAllocate()!.Complete().Register(Key(2), default, [2]).Dispose();
        using MutableBlock evictsTheOther = pool.TryAllocate()!;
        Assert.Null(pool.TryFind(Key(2)));
        Assert.Null(pool.TryAllocate());
        using BlockLease? found = pool.TryFind(Key(1));
        Assert.Equal(lease.Id, found?.Id);
    }

    /// <summary>Were it otherwise, writing a chain to the disk would make its leaves younger than what they stand on.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_block_that_is_read_on_its_way_to_another_tier_keeps_its_place(bool usedMeanwhile)
    {
        using var pool = new BlockPool(s_layout, new NativeArena(s_layout, 3));
        BlockLease[] users = [.. Enumerable.Range(0, 3).Select(name => pool.TryAllocate()!.Complete().Register(Key(name), default, []))];
        BlockLease[] readers = [.. Enumerable.Range(0, 3).Select(name => pool.TryRead(Key(name))!)];
        Assert.Null(pool.TryAllocate());
        if (!usedMeanwhile)
            Array.ForEach(readers, reader => reader.Dispose());
        foreach (int name in (int[])[2, 1, 0])
            users[name].Dispose();
        if (usedMeanwhile)
            Array.ForEach(readers, reader => reader.Dispose());
        pool.TryRead(Key(2))!.Dispose();
        foreach (int name in (int[])[2, 1, 0])
        {
            pool.TryAllocate()!.Complete().Register(Key(10 + name), default, []);
            Assert.False(pool.Contains(Key(name)));
            Assert.Equal(name, Enumerable.Range(0, 3).Count(other => pool.Contains(Key(other))));
        }
    }
}
