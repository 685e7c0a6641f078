using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache;

/// <summary>
/// The blocks of one sequence, as its engine sees them: found in the cache where they exist, computed where they do not, and left in the cache for others.
/// <code>
/// BeginRequest(n), Match(tokens)    brings in what exists; holes and the end stay missing
/// until nothing is missing:
///   Adopt(tokens)                   what others have computed meanwhile
///   Table.NextMissing, TryReserve   which tokens to compute
///   WaitForLayer(0), (1), …         before each layer of the pass
///   Fill(tokens, from, to)          what was computed belongs to the cache
/// EndRequest()                      what may go to the disk, goes
/// </code>
/// Belongs to one thread at a time.
/// </summary>
public sealed class CachedSequence : IDisposable
{
    readonly TieredKvCache _cache;
    readonly bool _sharing;
    readonly BlockKey _root;
    readonly PrefixKeys _keys;
    readonly PrefixLookup _lookup = new();
    readonly Arrivals _arrivals;
    readonly List<BlockLease> _full = [];
    readonly HashSet<int> _computed = []; // blocks that became full since the request began

    internal CachedSequence(TieredKvCache cache, BlockKey root, bool sharing, int tokens)
    {
        (_cache, _root, _sharing) = (cache, root, sharing);
        _keys = new PrefixKeys(root, cache.Layout.BlockTokens, cache.Layout.BlocksFor(tokens));
        Table = new BlockTable(cache.Device, cache.Layout.BlocksFor(tokens));
        _arrivals = new Arrivals(cache, Table);
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
    public void BeginRequest(int tokens)
    {
        Use = new CacheUse { Tokens = tokens };
        _computed.Clear();
        Use.Reuse(Tier.Device, 0, Length);
    }

    /// <summary>
    /// Brings in what the tiers have of a prompt: blocks in the pool at once, others on their way; see <see cref="WaitForLayer"/>. The last token always
    /// stays missing: it is computed for its logits.
    /// </summary>
    public void Match(ReadOnlySpan<int> tokens)
    {
        if (!_sharing || tokens.Length - 1 <= Length)
            return;
        _arrivals.WaitForAll(Use); // of a request that was given up
        int before = Length;
        _cache.Index.Find(_lookup, _keys, tokens);
        ForgoWhatIsDear();
        _cache.Index.Explain(_lookup, _keys, tokens, _root);
        foreach (Miss miss in _lookup.Misses)
            if (miss.To > before)
                Use.Add(miss with { From = Math.Max(miss.From, before) });
        Place(tokens);
    }

    /// <summary>Takes over blocks that others have computed in the meantime, from the first missing position on.</summary>
    public void Adopt(ReadOnlySpan<int> tokens)
    {
        for (int block = Length / BlockTokens; _sharing && (block + 1) * BlockTokens < tokens.Length; block++)
        {
            if (block < Table.Count && Table.Filled(block) > 0 && IsWaiting)
                return; // a beginning is on its way into it
            _keys.Extend(tokens, block + 1);
            if (_cache.Device.TryFind(_keys[block], _keys.TokensOf(tokens, block)) is not { } lease)
                return;
            if (lease.Load is not null || lease.HasFailed) // perhaps the very one that did not come in time
            {
                lease.Dispose();
                return;
            }
            Take(block, lease, Tier.Device);
        }
    }

    /// <summary>
    /// Takes over, as a copy, the first tokens of a block that begins like the next one and then goes on differently. Worth it only when nobody else is about to compute the next one as a
    /// whole: half a block of its own is no other's any more.
    /// </summary>
    public void AdoptTail(ReadOnlySpan<int> tokens)
    {
        int block = Table.Count, start = block * BlockTokens;
        if (!_sharing || Length != start || IsWaiting || tokens.Length - 1 <= start)
            return;
        _keys.Extend(tokens, block);
        TailMatch tail = _cache.Device.LongestTail(_keys[block - 1], tokens[start..^1]);
        if (tail.Common == 0 || _cache.Device.TryFind(tail.Key) is not { } source)
            return;
        using (source)
            if (source.Load is null && !source.HasFailed && Table.TryAddOwn())
                CopyTail(block, source, tail.Common);
    }

    unsafe void CopyTail(int block, BlockLease source, int tokens)
    {
        BlockCopy.Copy(source.Address, Table.Address(block), _cache.Layout.BlockBytes);
        Table.Fill(block * BlockTokens, block * BlockTokens + tokens);
        Use.Reuse(Tier.Device, block * BlockTokens, block * BlockTokens + tokens);
        Use.Tail = (source.Key, tokens);
    }

    /// <summary>Waits until a layer's keys and values have come from wherever they come. Call it before a layer is written or read.</summary>
    /// <returns>False when some did not come, or too late: there are new holes, and the pass has to begin again.</returns>
    public bool WaitForLayer(int layer) => _arrivals.Wait(layer, Use);

    /// <summary>Waits for all layers: for a thread that has nothing else to do.</summary>
    public void WaitForAll() => _arrivals.WaitForAll(Use);

    /// <summary>Whether blocks are on their way.</summary>
    public bool IsWaiting => _arrivals.Any;

    /// <summary>Whether a wait for them would be over at once: all have come, or will not be waited for any longer.</summary>
    public bool HasArrived => _arrivals.AreOver;

    /// <summary>The key of the block before that of a position; null when nothing is shared.</summary>
    public BlockKey? KeyBefore(ReadOnlySpan<int> tokens, int position)
    {
        if (!_sharing)
            return null;
        _keys.Extend(tokens, position / BlockTokens);
        return _keys[position / BlockTokens - 1];
    }

    /// <summary>The key of the block with a position, when it is one of those that others may find: full, and not the prompt's last.</summary>
    BlockKey? SharedKey(ReadOnlySpan<int> tokens, int position)
    {
        int block = position / BlockTokens;
        if (!_sharing || (block + 1) * BlockTokens >= tokens.Length)
            return null;
        _keys.Extend(tokens, block + 1);
        return _keys[block];
    }

    /// <summary>Blocks that the sequence would take from the pool to hold so many tokens: all but those that it or others hold already.</summary>
    public int BlocksWanted(ReadOnlySpan<int> tokens)
    {
        int wanted = _cache.Layout.BlocksFor(tokens.Length + 1) - Table.Count;
        for (int block = Table.Count; SharedKey(tokens, block * BlockTokens) is { } key && _cache.Device.IsLeased(key); block++)
            wanted--;
        return wanted;
    }

    /// <summary>Makes room for the first <paramref name="tokens"/> tokens; false when the pool has too little.</summary>
    public bool TryReserve(int tokens) => Table.TryReserve(tokens);

    /// <summary>The positions <c>[from, to)</c> are computed; blocks that are full now belong to the cache.</summary>
    public void Fill(ReadOnlySpan<int> tokens, int from, int to)
    {
        Table.Fill(from, to);
        for (int block = from / BlockTokens; _sharing && block * BlockTokens < to; block++)
            if (Table.Filled(block) == BlockTokens && Table[block] is MutableBlock own)
            {
                _full.Add(Register(block, own, tokens, BlockTokens));
                _computed.Add(block);
            }
        _cache.Offload(_full);
        _full.Clear();
    }

    /// <summary>A request ends: its blocks count as used now, the deepest first, and are admitted to the disk.</summary>
    public void EndRequest()
    {
        TimeSpan saved = _cache.Costs.TokensPerSecond is > 0 and var rate ? TimeSpan.FromSeconds(Use.Reused / rate) - Use.RestoreTime : TimeSpan.Zero;
        Use.Saved = saved > TimeSpan.Zero ? saved : TimeSpan.Zero;
        if (_sharing)
            _cache.Account(Use);
        for (int block = Math.Min(Length / BlockTokens, _keys.Count) - 1; _sharing && block >= 0; block--)
        {
            _cache.Touch(_keys[block], isNew: _computed.Contains(block));
            if (_cache.Options.Admission == DiskAdmission.EndOfRequest)
                _cache.Keep(_keys[block]);
        }
    }

    /// <summary>Forgets all tokens. What was computed stays in the cache, the tail included.</summary>
    public void Clear(ReadOnlySpan<int> tokens)
    {
        _arrivals.Abandon();
        if (_sharing)
            LeaveTail(tokens);
        Table.Clear();
        _keys.Clear();
    }

    /// <summary>Gives the blocks back without leaving the tail; for that, <see cref="Clear"/>.</summary>
    public void Dispose() => Clear([]);

    /// <summary>Treats blocks as missing that would take longer to load than to compute, run by run.</summary>
    void ForgoWhatIsDear()
    {
        for (int first = 0, end; first < _lookup.Blocks; first = end)
        {
            Tier? tier = _lookup.TierOf(first);
            for (end = first + 1; end < _lookup.Blocks && _lookup.TierOf(end) == tier; end++) { }
            if (tier is null or Tier.Device || _cache.Costs.LoadIsCheaper(tier.Value, (end - first) * _cache.Layout.BlockBytes, (end - first) * BlockTokens))
                continue;
            for (int block = first; block < end; block++)
                _lookup.Forgo(block);
            Use.Add(new Miss(first * BlockTokens, end * BlockTokens, MissReason.ComputeCheaper, tier));
        }
    }

    void Place(ReadOnlySpan<int> tokens)
    {
        int blocks = _lookup.Tail.Common > 0 ? _lookup.TailBlock : _lookup.LastPresent + 1;
        bool room = true;
        for (int block = 0; block < blocks && room; block++)
            if (block >= Table.Count || Table.Filled(block) == 0)
                room = PlaceBlock(block, tokens);
        if (room && Table.Count == blocks && _lookup.Tail.Common > 0)
            PlaceTail(blocks);
        _arrivals.Start();
    }

    /// <summary>Puts a block where it is found, or a hole; false when the pool has no room: what follows is computed as if it were missing.</summary>
    bool PlaceBlock(int block, ReadOnlySpan<int> tokens)
    {
        ReadOnlySpan<int> own = _keys.TokensOf(tokens, block);
        Tier? tier = _lookup.TierOf(block);
        BlockLease? lease = _cache.Device.TryFind(_keys[block], own);
        if (lease is not null)
            tier = Tier.Device;
        else if (tier is Tier.Host or Tier.Disk)
            lease = _arrivals.Want(tier.Value, _keys[block], _keys[block - 1], own, _lookup.Slot(block));
        if (lease is not null && _arrivals.Await(lease))
        {
            Take(block, lease, tier!.Value);
            return true;
        }
        lease?.Dispose();
        return block < Table.Count || Table.TryAddOwn();
    }

    void Take(int block, BlockLease lease, Tier tier)
    {
        int own = block < Table.Count ? Table.Filled(block) : 0; // computed already, or copied: the whole takes their place, and they count as what they were
        if (block < Table.Count)
        {
            Table[block].Dispose();
            Table.Replace(block, lease);
        }
        else
            Table.Add(lease);
        Use.Reuse(tier, block * BlockTokens + own, (block + 1) * BlockTokens);
        if (tier != Tier.Disk && _cache.Options.Admission == DiskAdmission.SecondUse)
            _cache.Keep(lease.Key);
    }

    /// <summary>Takes over the first tokens of a block that goes on differently, or ends: a copy, to be continued.</summary>
    void PlaceTail(int block)
    {
        TailMatch tail = _lookup.Tail;
        BlockLease? source = _cache.Device.TryFind(tail.Key);
        if (source is null && _lookup.TailTier is Tier.Host or Tier.Disk)
            source = _arrivals.WantTail(_lookup.TailTier, tail.Key, _keys[block - 1]);
        if (source is null || !_arrivals.Await(source) || !Table.TryAddOwn())
        {
            source?.Dispose();
            return;
        }
        Table.Fill(block * BlockTokens, block * BlockTokens + tail.Common);
        Use.Reuse(_lookup.TailTier, block * BlockTokens, block * BlockTokens + tail.Common);
        Use.Tail = (tail.Key, tail.Common);
        _arrivals.TakeOver(block, source);
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

    /// <summary>The last block, not full, becomes findable: the next sequence copies it and goes on.</summary>
    unsafe void LeaveTail(ReadOnlySpan<int> tokens)
    {
        int block = Length / BlockTokens, count = Length % BlockTokens;
        if (count == 0 || tokens.Length < Length || Table[block] is not MutableBlock own)
            return;
        _keys.Extend(tokens, block);
        if (_cache.Device.LongestTail(_keys[block - 1], tokens.Slice(block * BlockTokens, count)).Common == count)
            return; // a longer one begins with it
        _cache.Layout.ClearTokens(own.Address, count); // what another sequence left there is nobody's business
        BlockLease tail = Register(block, own, tokens, count);
        _cache.Offload([tail]);
        if (_cache.Options.Admission == DiskAdmission.EndOfRequest)
            _cache.Keep(tail.Key);
    }
}
