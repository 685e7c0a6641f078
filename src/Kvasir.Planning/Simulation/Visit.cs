using System.Buffers.Binary;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>A request at the machine that serves it.</summary>
sealed class Visit(TraceRequest request, Machine machine, BlockKey[] keys)
{

    public TraceRequest Request => request;

    public Machine Machine => machine;

    /// <summary>The keys of the prompt's blocks.</summary>
    public BlockKey[] Keys { get; private set; } = keys;

    /// <summary>Blocks at the prompt's start for which a view stands, or is to; 0 when the request is exact.</summary>
    public int Prefix { get; private set; }

    /// <summary>Whether a view of them has to be made; else, if there is a prefix, it was found.</summary>
    public bool MakesView { get; private set; }

    /// <summary>The view that it reads, or has room for.</summary>
    public MachineView? View { get; set; }

    /// <summary>Blocks at the start that it neither reads nor leaves, since it found a view of them.</summary>
    public int Unread => MakesView ? 0 : Prefix;

    /// <summary>It goes on behind a view of so many blocks; of none exactly.</summary>
    public void Thin(int blocks, MachineView? view)
    {
        (Prefix, MakesView, View) = (blocks, blocks > 0 && view is null, view);
        Keys = KeysOf(request.Blocks);
    }

    /// <summary>Keys of blocks of this prompt, and of what follows it; behind a view they are no exact request's.</summary>
    public BlockKey[] KeysOf(long[] ids)
    {
        BlockKey[] exact = KeysOf((ReadOnlySpan<long>)ids);
        for (int block = Prefix; Prefix > 0 && block < ids.Length; block++)
            exact[block] = KeyOf(ids[block], block);
        return exact;
    }

    /// <summary>The key of one of them.</summary>
    public BlockKey KeyOf(long id, int block) => Key(id, Prefix > 0 && block >= Prefix ? request.Blocks[Prefix - 1] : null);

    /// <summary>The key before a block's; the first one's, and the first one's behind a view, is the root, which is zero.</summary>
    public BlockKey Parent(BlockKey[] chain, int block) => block == 0 || block == Prefix ? default : chain[block - 1];

    /// <summary>Where each block was found, as an index of its machine's tiers; -1 for nowhere.</summary>
    public int[] Found { get; set; } = [];

    /// <summary>The block that begins with a copy, of so many tokens, and the tier that they come from; no tokens for none.</summary>
    public (int Tier, int Block, int Tokens) Tail { get; set; }

    /// <summary>Which replacement of the machine it began on.</summary>
    public int Generation { get; init; }

    /// <summary>Whether the machine was lost since.</summary>
    public bool IsLost => Generation != machine.Generation;

    /// <summary>Seconds that it was estimated to take when it came.</summary>
    public double Estimate { get; set; }

    /// <summary>Tokens that its machine had to compute for it, as it seemed when it came; only routers ask.</summary>
    public long Missing { get; init; }

    /// <summary>For whom it computes a prompt; null for itself.</summary>
    public Visit? Helps { get; init; }

    /// <summary>Who computes its prompt.</summary>
    public Visit? Helper { get; set; }

    /// <summary>Whether nobody else computes its prompt though others do.</summary>
    public bool IsAlone { get; set; }

    /// <summary>Blocks that it waits for, and those that have come from another machine.</summary>
    public SortedSet<int> Awaited { get; set; } = [];

    public HashSet<int> Received { get; } = [];

    /// <summary>When its turn came.</summary>
    public double Start { get; set; }

    /// <summary>Seconds that it has waited for colder tiers since then.</summary>
    public double Waited { get; set; }

    /// <summary>Seconds that computing takes.</summary>
    public double Compute { get; set; }

    /// <summary>Seconds for which it has computed already.</summary>
    public double Computed { get; set; }

    /// <summary>Whether the store has said what it holds.</summary>
    public bool HasAnswer { get; set; }

    /// <summary>What it says after all, <see cref="LateBy"/> seconds after computing has begun; empty for nothing.</summary>
    public int[] Late { get; set; } = [];

    public double LateBy { get; set; }

    /// <summary>Tokens that were found, and that nobody else had found for the same request.</summary>
    public long HitTokens { get; set; }

    /// <summary>Rights to the blocks that it reads.</summary>
    public List<(int Block, BlockLease Lease)> Leases { get; } = [];

    /// <summary>Blocks that it computes.</summary>
    public List<(int Block, Machine Home, MutableBlock Own)> Own { get; } = [];

    /// <summary>Whether a block is the one with the last token, which is computed in any case, into a block of the request's own.</summary>
    public bool IsLast(int block) => block == Keys.Length - 1;

    public BlockKey Parent(int block) => Parent(Keys, block);

    /// <summary>Gives the blocks back, the deepest first, as sequences do.</summary>
    public void Release()
    {
        Own.ForEach(own => own.Own.Dispose()); // those of a prompt that was never computed
        Own.Clear();
        Leases.Sort((one, other) => other.Block.CompareTo(one.Block));
        foreach ((_, BlockLease lease) in Leases)
            lease.Dispose();
        Leases.Clear();
        LeaveView();
    }

    /// <summary>Gives back the exact blocks of a prefix whose view is made.</summary>
    public void ReleasePrefix()
    {
        Leases.Sort((one, other) => other.Block.CompareTo(one.Block));
        foreach ((_, BlockLease lease) in Leases.FindAll(each => each.Block < Prefix))
            lease.Dispose();
        Leases.RemoveAll(each => each.Block < Prefix);
    }

    void LeaveView()
    {
        if (View is { } view && --view.Readers == 0 && !view.IsFound)
            view.Release();
        View = null;
    }

    /// <summary>Keys for a trace's ids.</summary>
    public static BlockKey[] KeysOf(ReadOnlySpan<long> ids)
    {
        var keys = new BlockKey[ids.Length];
        for (int i = 0; i < ids.Length; i++)
            keys[i] = KeyOf(ids[i]);
        return keys;
    }

    /// <summary>The key for an id.</summary>
    public static BlockKey KeyOf(long id) => Key(id, view: null);

    /// <summary>The key for an id, behind the view of a prefix that ends with another one, if there is one.</summary>
    static BlockKey Key(long id, long? view)
    {
        Span<byte> digest = stackalloc byte[Digest.Size];
        BinaryPrimitives.WriteUInt64BigEndian(digest, Mix((ulong)(id ^ view.GetValueOrDefault())));
        BinaryPrimitives.WriteInt64BigEndian(digest[8..], id);
        BinaryPrimitives.WriteInt64BigEndian(digest[16..], view is null ? 1 : 2); // no id is the root, which is zero
        BinaryPrimitives.WriteInt64BigEndian(digest[24..], view.GetValueOrDefault());
        return new BlockKey(new Digest(digest));
    }

    /// <summary>
    /// Spreads ids that follow each other over all hash codes (Steele, Lea, Flood: "Fast splittable pseudorandom
    /// number generators", OOPSLA 2014).
    /// </summary>
    public static ulong Mix(ulong id)
    {
        id += 0x9E3779B97F4A7C15;
        id = (id ^ id >> 30) * 0xBF58476D1CE4E5B9;
        id = (id ^ id >> 27) * 0x94D049BB133111EB;
        return id ^ id >> 31;
    }
}
