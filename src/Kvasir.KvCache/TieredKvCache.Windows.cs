using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache;

/// <content>Layers with windows, which have a pool and blocks of their own where the layout has them apart.</content>
public sealed partial class TieredKvCache
{
    /// <summary>
    /// The cache of the layers with windows, which the layout has apart: their own pool, and blocks of their own in the tiers. Null where
    /// blocks hold all layers.
    /// </summary>
    public TieredKvCache? Windows { get; }

    /// <summary>The fingerprint of the cache whose layers with windows this one has.</summary>
    Fingerprint? Others { get; init; }

    /// <summary>The same tiers for the layers with windows.</summary>
    TieredKvCache OfWindows(KvLayout layout) => new(layout, Fingerprint.OfWindows(), Options with
    {
        DeviceBlocks = Options.WindowBlocks,
        HostBytes = Options.WindowHostBytes,
        Streaming = null,
        Peer = null,
        ModelName = Options.ModelName.Length > 0 ? $"{Options.ModelName} (windows)" : "",
    }, arena: null, Costs)
    { Others = Fingerprint };

    BlockKey RootOf(ReadOnlySpan<byte> salt) =>
        Others is { } others ? RootOfWindows(KeyChain.Root(others, salt)) : KeyChain.Root(Fingerprint, salt);

    /// <summary>What names the first block of layers with windows, beside that of the others.</summary>
    static BlockKey RootOfWindows(BlockKey root)
    {
        using var hasher = new FieldHasher();
        return new BlockKey(hasher.Add("windows").Add(root.Digest).Finish());
    }

    SequenceWindows? WindowsOf(BlockKey root, bool sharing, int tokens)
    {
        if (Windows is null)
            return null;
        root = RootOfWindows(root);
        foreach (IDurableTier tier in Windows.Tiers.OfType<IDurableTier>())
            tier.AddRoot(root);
        return new SequenceWindows(Windows, sharing ? root : PrivateRoot(), sharing, tokens);
    }

    /// <summary>What a lookup found is of use only as far as the layers with windows have what the next tokens see.</summary>
    async Task<PrefixLookup> ForgoWhatSeesNothing(Task<PrefixLookup> found, PrefixQuery query)
    {
        Task<PrefixLookup> windowed = Windows!._index.FindAll(query, s_patienceOfViewers);
        PrefixLookup lookup = await found.ConfigureAwait(false), windows = await windowed.ConfigureAwait(false);
        lookup.LimitTail(windows);
        var plan = new WindowPlan(Layout.BlockTokens, Windows.Layout.LongestWindow);
        plan.Make(lookup.TailBlock, lookup.Tail.Common, block => lookup.TierOf(block) is null ? 0 : Layout.BlockTokens,
            block => windows.TierOf(block) is not null);
        foreach (int block in plan.Again)
            lookup.Forgo(block, MissReason.WindowGone);
        return lookup;
    }

    /// <summary>
    /// How many tokens a tier has of a prompt that was found there, without those of which the next ones would not see what they have to in
    /// its layers with windows.
    /// </summary>
    async Task<int> CountSeeing(Tier tier, TierFind find, int[] query, byte[]? salt)
    {
        TierFind windows = Windows!.Tiers.FirstOrDefault(one => one.Tier == tier) is { } twin
            ? await twin.Find(Windows.Query(query, salt), CancellationToken.None).ConfigureAwait(false) : TierFind.Nothing;
        int blocks = (query.Length - 1) / Layout.BlockTokens, tail = Math.Min(TailOf(find, blocks), TailOf(windows, blocks));
        var plan = new WindowPlan(Layout.BlockTokens, Windows.Layout.LongestWindow);
        plan.Make(blocks, tail, Filled, block => windows.Place(block) != TierFind.Absent);
        return Enumerable.Range(0, blocks).Except(plan.Again).Sum(Filled) + tail;

        int Filled(int block) => find.Place(block) == TierFind.Absent ? 0 : Layout.BlockTokens;
    }

    static int TailOf(TierFind find, int blocks) => find.TailAfter(blocks)?.Match.Common ?? 0;

    /// <summary>The keys of blocks in the layers with windows; where nobody has a block's beginning any more, none that exist.</summary>
    internal IReadOnlyList<BlockKey> WindowKeys(IReadOnlyCollection<BlockKey> keys)
    {
        Dictionary<BlockKey, BlockKey> known = [];
        return Windows is null ? [] : [.. keys.Select(KeyOf)];

        BlockKey KeyOf(BlockKey key)
        {
            Stack<TierBlock> chain = [];
            BlockKey at = key;
            for (; !known.ContainsKey(at) && Describe(at) is { } block; at = block.Parent)
                chain.Push(block);
            if (!known.TryGetValue(at, out BlockKey own))
                known[at] = own = RootOfWindows(at); // what no tier has is a root
            while (chain.TryPop(out TierBlock? block))
                known[block.Key] = own = KeyChain.Next(own, block.Tokens);
            return own;
        }
    }

    TierBlock? Describe(BlockKey key) =>
        Device.Describe(key) ?? Tiers.Select(tier => tier.Describe(key)).FirstOrDefault(block => block is not null);

    /// <summary>Of the layers with windows, what whoever goes on after a chain of blocks sees.</summary>
    IReadOnlyList<BlockKey> LastWindow(IReadOnlyCollection<BlockKey> keys) => Windows is null ? []
        : [.. WindowKeys(keys).TakeLast(Layout.BlocksFor(Windows.Layout.LongestWindow) + 2)];
}
