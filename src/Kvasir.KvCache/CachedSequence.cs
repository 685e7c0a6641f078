using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Views;

namespace Kvasir.KvCache;

/// <summary>
/// The blocks of one sequence, as its engine sees them: found in the cache where they exist, computed where they do not,
/// and left in the cache for others.
/// <code>
/// BeginRequest(n), Lookup(tokens)   begins to find what exists; nobody waits for it
/// Place(tokens)                     brings in what was found; holes and the end stay missing
/// until nothing is missing:
///   Adopt(tokens)                   what others have computed meanwhile
///   Table.NextMissing, TryReserve   which tokens to compute
///   WaitForLayer(0), (1), …         before each layer of the pass
///   Fill(tokens, from, to)          what was computed belongs to the cache
/// EndRequest()                      what may go to the disk, goes
/// </code>
/// Behind a view, tokens and positions are those after the view's prefix, but for what <see cref="Use"/> tells.
/// Belongs to one thread at a time.
/// </summary>
public sealed partial class CachedSequence : IDisposable
{
    readonly TieredKvCache _cache;
    readonly bool _sharing;
    readonly BlockKey _root;
    readonly IPeer? _peer;
    readonly PrefixKeys _keys;
    readonly PendingLoads _loads;
    readonly HashSet<int> _computed = []; // blocks that became full since the request began
    readonly HashSet<int> _brought = []; // blocks that another machine brought since then: as good as computed
    Task<PrefixLookup>? _later;

    internal CachedSequence(TieredKvCache cache, BlockKey root, bool sharing, int tokens, IPeer? peer, RetainedView? view = null)
    {
        (_cache, _root, _sharing, _peer) = (cache, root, sharing, peer);
        _keys = new PrefixKeys(root, cache.Layout.BlockTokens, cache.Layout.BlocksFor(tokens));
        Table = new BlockTable(cache.Device, cache.Layout.BlocksFor(tokens)) { View = view };
        _loads = new PendingLoads(cache, Table);
    }

    /// <summary>The blocks, for kernels to read.</summary>
    public BlockTable Table { get; }

    /// <summary>Tokens whose keys and values are there without a hole, from the start.</summary>
    public int Length => Table.Length;

    /// <summary>What the cache did since <see cref="BeginRequest"/>.</summary>
    public CacheUse Use { get; private set; } = new() { Tokens = 0 };

    int BlockTokens => _cache.Layout.BlockTokens;

    /// <summary>A request begins: the accounts are new.</summary>
    /// <param name="tokens">Tokens of its prompt, those of earlier turns included.</param>
    /// <param name="retention">What a retention policy means for the request; null without one.</param>
    /// <param name="before">What was done before for the prefix that the view stands for; null when the view was there.</param>
    public void BeginRequest(int tokens, RetentionUse? retention = null, CacheUse? before = null)
    {
        Use = new CacheUse { Tokens = Table.Start + tokens, Start = Table.Start };
        if (before is not null)
            Use.GoOnAfter(before);
        if (retention is not null)
            Use.Retain(retention);
        (_later, Failure) = (null, null);
        Windows?.BeginRequest(tokens);
        _computed.Clear();
        _brought.Clear();
        Use.Reuse(Tier.Device, 0, Length);
    }

    /// <summary>
    /// Begins to find what the tiers have of a prompt. Returns at once; the lookup is over at its deadline at the latest, and never fails.
    /// Null when there is nothing to find.
    /// </summary>
    public Task<PrefixLookup>? Lookup(ReadOnlySpan<int> tokens)
    {
        tokens = Exact(tokens);
        if (!_sharing || tokens.Length < 2 || (tokens.Length - 1 <= Length && Windows is not { IsStale: true }))
            return null;
        ComputeKeys(tokens);
        Task<PrefixLookup> found = _cache.Find(Query(tokens));
        return Windows is null ? found : Join(found, Windows.Find(tokens));
    }

    PrefixQuery Query(ReadOnlySpan<int> tokens) =>
        new(_keys.First((tokens.Length - 1) / BlockTokens), _root, tokens.ToArray(), BlockTokens);

    /// <summary>Computes the keys of a prompt's blocks ahead of <see cref="Lookup"/>, on whichever thread has the time.</summary>
    public void ComputeKeys(ReadOnlySpan<int> tokens)
    {
        tokens = Exact(tokens);
        if (_sharing && tokens.Length > 0)
            _keys.Extend(tokens, (tokens.Length - 1) / BlockTokens);
    }

    /// <summary>
    /// Brings in what a lookup found of a prompt: blocks in the pool at once, others on their way; see <see cref="WaitForLayer"/>. The last
    /// token always stays missing: it is computed for its logits.
    /// </summary>
    public void Place(ReadOnlySpan<int> tokens, PrefixLookup lookup)
    {
        ArgumentNullException.ThrowIfNull(lookup);
        WaitForAll(); // of a request that was given up
        _later = lookup.Later is { IsCompletedSuccessfully: true, Result: var later } && later == lookup ? null : lookup.Later;
        Use.Explain(lookup, Length);
        ForgoWhatIsDear(lookup);
        ForgoWhatSeesNothing(tokens, lookup);
        PlaceBlocks(tokens, lookup);
    }

    /// <summary>Looks up and places, and waits for the lookup: for a thread that has nothing else to do.</summary>
    public void Match(ReadOnlySpan<int> tokens)
    {
        if (Lookup(tokens) is { } lookup)
            Place(tokens, lookup.GetAwaiter().GetResult());
    }

    /// <summary>
    /// Takes over blocks that others have computed in the meantime, from the first missing position on, and begins to bring in what a tier
    /// that is far has found by now.
    /// </summary>
    public void Adopt(ReadOnlySpan<int> tokens)
    {
        tokens = Exact(tokens);
        if (_later is { IsCompletedSuccessfully: true } && !IsWaiting)
            Place(tokens, _later.Result);
        PlaceRest(tokens);
        for (int block = Length / BlockTokens; _sharing && (block + 1) * BlockTokens < tokens.Length; block++)
        {
            if (block < Table.Count && Table.Filled(block) > 0 && IsWaiting)
                return; // a beginning is on its way into it
            _keys.Extend(tokens, block + 1);
            if (_cache.Device.TryFind(_keys[block], _keys.TokensOf(tokens, block)) is not { } lease)
            {
                if (!TryStream(block, tokens))
                    return;
                Windows?.IsStale = true;
                continue;
            }
            if (lease.Load is not null || lease.HasFailed // perhaps the very one that did not come in time
                || Windows?.TryAdopt(block, tokens) == false)
            {
                lease.Dispose();
                return;
            }
            Take(block, lease, Tier.Device);
        }
    }

    /// <summary>
    /// Waits until a layer's keys and values have come from wherever they come. Call it before a layer is written or read.
    /// </summary>
    /// <returns>False when some did not come, or too late: there are new holes, and the pass has to begin again.</returns>
    public bool WaitForLayer(int layer)
    {
        bool complete = _loads.Wait(layer, Use);
        if (Windows is null)
            return complete;
        Windows.IsStale |= !complete;
        return Windows.Wait(layer, Use) && complete;
    }

    /// <summary>Waits for all layers: for a thread that has nothing else to do.</summary>
    public void WaitForAll() => WaitForLayer(_cache.Layout.Layers.Length - 1);

    /// <summary>Whether blocks are on their way.</summary>
    public bool IsWaiting => _loads.Any || Windows is { IsWaiting: true };

    /// <summary>Whether some of them come from other machines: then no layer is there before all of the last block is.</summary>
    internal bool IsWaitingForPeers => _loads.AnyOfPeers;

    /// <summary>Whether a wait for them would be over at once: all have come, or will not be waited for any longer.</summary>
    public bool HasArrived => _loads.AreOver && Windows is not { HaveArrived: false };

    /// <summary>The key of the block before that of a position; null when nothing is shared.</summary>
    public BlockKey? KeyBefore(ReadOnlySpan<int> tokens, int position)
    {
        int end = (position / BlockTokens + 1) * BlockTokens;
        if (!_sharing || (Exact(tokens).Length < tokens.Length && end > Exact(tokens).Length))
            return null;
        _keys.Extend(tokens, position / BlockTokens);
        return _keys[position / BlockTokens - 1];
    }

    /// <summary>
    /// The key of the block with a position, when it is one of those that others may find: full, and not the prompt's last.
    /// </summary>
    BlockKey? SharedKey(ReadOnlySpan<int> tokens, int position)
    {
        int block = position / BlockTokens;
        if (!_sharing || (block + 1) * BlockTokens >= Exact(tokens).Length)
            return null;
        _keys.Extend(tokens, block + 1);
        return _keys[block];
    }

    /// <summary>
    /// Blocks that the sequence would take from the pool to hold so many tokens: all but those that it or others hold already.
    /// </summary>
    public int BlocksWanted(ReadOnlySpan<int> tokens)
    {
        int wanted = AllBlocksWanted(tokens);
        for (int block = Table.Count; SharedKey(tokens, block * BlockTokens) is { } key && _cache.Device.IsLeased(key); block++)
            wanted--;
        return _cache.Streamed is { } streamed ? Math.Min(wanted, streamed.Options.Resident) : wanted;
    }

    /// <summary>Makes room for the first <paramref name="tokens"/> tokens; false when the pool has too little.</summary>
    public bool TryReserve(int tokens) =>
        Table.TryReserve(tokens) && Windows?.TryReserve(tokens, Math.Min(Length, Table.Pages?.From ?? Length)) != false;

    /// <summary>Gives back room that nothing was written into for good, behind that for the first so many tokens.</summary>
    public void GiveBackRoom(int tokens)
    {
        Table.Truncate(Math.Min(Table.Count, _cache.Layout.BlocksFor(tokens)));
        Windows?.GiveBackRoom(Table.Count);
    }

    /// <summary>The positions <c>[from, to)</c> are computed; blocks that are full now belong to the cache.</summary>
    public void Fill(ReadOnlySpan<int> tokens, int from, int to)
    {
        Table.Fill(from, to);
        Windows?.Fill(tokens, Exact(tokens).Length, from, to);
        for (int block = from / BlockTokens; _sharing && block * BlockTokens < to; block++)
            if (Table.Filled(block) == BlockTokens && Table[block] is MutableBlock own && (block + 1) * BlockTokens <= Exact(tokens).Length)
            {
                _cache.Offload(Register(block, own, tokens, BlockTokens).Key, Admission.WhenFull);
                _computed.Add(block);
            }
    }

    /// <summary>
    /// A request ends: its blocks count as used now, the deepest first, and are admitted to the tiers that take them then.
    /// </summary>
    /// <param name="isWhole">Whether it is all of a request, which is counted; or the part that a view stands for from now on.</param>
    public void EndRequest(bool isWhole = true)
    {
        TimeSpan saved = _cache.Costs.TokensPerSecond is > 0 and var rate
            ? TimeSpan.FromSeconds(Use.Reused / rate) - Use.RestoreTime
            : TimeSpan.Zero;
        Use.Saved = saved > TimeSpan.Zero ? saved : TimeSpan.Zero;
        Use.Streamed = StreamedNow();
        if (_sharing && isWhole)
            _cache.Account(Use);
        for (int block = Math.Min(Length / BlockTokens, _keys.Count) - 1; _sharing && block >= 0; block--)
        {
            if (_brought.Contains(block))
                _cache.Offload(_keys[block], Admission.WhenFull);
            _cache.Touch(_keys[block], isNew: _computed.Contains(block));
            _cache.Offload(_keys[block], Admission.EndOfRequest);
        }
        Windows?.EndRequest(Length);
    }

    /// <summary>Forgets all tokens. What was computed stays in the cache, the tail included.</summary>
    public void Clear(ReadOnlySpan<int> tokens)
    {
        _loads.Abandon();
        (_later, _unplaced) = (null, null);
        ReadAll();
        int length = Length;
        if (_sharing)
            LeaveTail(tokens);
        Windows?.Clear(tokens, length);
        BlockKey[] own = UnsharedKeys();
        Table.Clear();
        _cache.Streamed?.Drop(own);
        _keys.Clear();
    }

    /// <summary>Gives the blocks back without leaving the tail; for that, <see cref="Clear"/>.</summary>
    public void Dispose() => Clear([]);

    /// <summary>Treats blocks as missing that would take longer to load than to compute, run by run.</summary>
    void ForgoWhatIsDear(PrefixLookup lookup)
    {
        for (int first = 0, end; first < lookup.Blocks; first = end)
        {
            Tier? tier = lookup.TierOf(first);
            for (end = first + 1; end < lookup.Blocks && lookup.TierOf(end) == tier; end++) { }
            if (tier is null or Tier.Device
                || _cache.Costs.LoadIsCheaper(tier.Value, (end - first) * _cache.Layout.BlockBytes, (end - first) * BlockTokens))
                continue;
            for (int block = first; block < end; block++)
                lookup.Forgo(block);
            Use.Add(new Miss(first * BlockTokens, end * BlockTokens, MissReason.ComputeCheaper, tier));
        }
    }

    void PlaceBlocks(ReadOnlySpan<int> tokens, PrefixLookup lookup)
    {
        int blocks = lookup.Tail.Common > 0 ? lookup.TailBlock : lookup.LastPresent + 1;
        PeerOffer? offer = OfferOf(tokens, lookup);
        blocks = Math.Max(blocks, offer?.Blocks.Max() + 1 ?? 0);
        bool room = true;
        for (int block = 0; block < blocks && room; block++)
            if (block >= Table.Count || Table.Filled(block) == 0)
                room = PlaceBlock(block, tokens, lookup, offer);
        if (Windows is not null)
            Bring(tokens, room && Table.Count == lookup.TailBlock ? TailOf(lookup) : 0, Windows);
        if (room && Table.Count == lookup.TailBlock && lookup.TailFound is { Match.Common: > 0 } tail)
            PlaceTail(tail, lookup.TailSource);
        _unplaced = room || _cache.Streamed is null ? null : lookup;
        _loads.Start();
        Windows?.Start();
    }

    /// <summary>What other machines would bring.</summary>
    sealed record PeerOffer(IPeer Peer, PrefixQuery Prompt, IReadOnlySet<int> Blocks);

    /// <summary>What other machines would bring of what is missing; null when that is nothing.</summary>
    PeerOffer? OfferOf(ReadOnlySpan<int> tokens, PrefixLookup lookup)
    {
        if (_peer is null)
            return null;
        int[] missing = [.. Enumerable.Range(0, lookup.Blocks).Where(
            block => lookup.TierOf(block) is null && (block >= Table.Count || Table.Filled(block) == 0))];
        if (missing.Length == 0)
            return null;
        PrefixQuery prompt = Query(tokens);
        return _peer.Offers(prompt, missing) is { Count: > 0 } offers ? new PeerOffer(_peer, prompt, offers) : null;
    }

    /// <summary>
    /// Puts a block where it is found, or a hole; false when the pool has no room: what follows is computed as if it were missing.
    /// </summary>
    bool PlaceBlock(int block, ReadOnlySpan<int> tokens, PrefixLookup lookup, PeerOffer? offer)
    {
        ReadOnlySpan<int> own = _keys.TokensOf(tokens, block);
        (ITier? source, long place) = lookup.SourceOf(block);
        Tier from = Tier.Device;
        bool again = Windows is not null && lookup.IsForgone(block); // though it may be there
        BlockLease? lease = again ? null : _cache.Device.TryFind(_keys[block], own);
        if (lease is null && !again && TryStream(block, tokens))
            return true;
        MakeRoomForOne();
        if (lease is null && source is not null)
            (lease, from) = (_loads.Want(source, _keys[block], _keys[block - 1], own, place), source.Tier);
        else if (lease is null && offer?.Blocks.Contains(block) == true)
            (lease, from) = (_loads.Want(offer.Peer, offer.Prompt, block), Tier.Peer);
        if (lease is not null && _loads.Expect(lease))
        {
            Take(block, lease, from);
            return true;
        }
        lease?.Dispose();
        return block < Table.Count || Table.TryAddOwn();
    }

    void Take(int block, BlockLease lease, Tier tier)
    {
        // computed already, or copied: the whole takes their place, and they count as what they were
        int own = block < Table.Count ? Table.Filled(block) : 0;
        if (block < Table.Count)
        {
            Table[block].Dispose();
            Table.Replace(block, lease);
        }
        else
            Table.Add(lease);
        Use.Reuse(tier, block * BlockTokens + own, (block + 1) * BlockTokens);
        if (tier == Tier.Peer)
            _brought.Add(block);
        _cache.Offload(lease.Key, Admission.SecondUse, from: tier);
    }

    BlockLease Register(int block, MutableBlock own, ReadOnlySpan<int> tokens, int count)
    {
        _keys.Extend(tokens, block);
        ReadOnlySpan<int> content = tokens.Slice(block * BlockTokens, count);
        BlockKey key;
        if (count == BlockTokens)
        {
            _keys.Extend(tokens, block + 1);
            key = _keys[block];
        }
        else
            key = KeyChain.Next(_keys[block - 1], content);
        BlockLease lease = own.Complete().Register(key, _keys[block - 1], content);
        Table.Replace(block, lease);
        return lease;
    }
}
