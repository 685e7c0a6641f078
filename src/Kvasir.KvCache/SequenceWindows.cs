using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache;

/// <summary>
/// What one sequence has in its windowed layers: blocks of their own, found and left in a cache of their own, of which it holds those that
/// its next tokens see. Kept in the tiers is what somebody may go on from: the window before a prompt's end, before a sequence's, and
/// before a place where a prompt was seen to go on differently.
/// </summary>
sealed class SequenceWindows : IDisposable
{
    readonly TieredKvCache _cache;
    readonly BlockKey _root;
    readonly bool _sharing;
    readonly PrefixKeys _keys;
    readonly PendingLoads _loads;
    readonly HashSet<int> _borders = []; // positions from which somebody may go on
    readonly HashSet<int> _gone = []; // blocks that were found and could not be had
    PrefixLookup? _found;
    int _released; // blocks from the start of which none is held

    /// <param name="cache">The cache of the windowed layers.</param>
    /// <param name="root">What names the first block.</param>
    /// <param name="sharing">Whether blocks are found and left at all.</param>
    /// <param name="tokens">Tokens to make room for in the books.</param>
    public SequenceWindows(TieredKvCache cache, BlockKey root, bool sharing, int tokens)
    {
        (_cache, _root, _sharing) = (cache, root, sharing);
        int blocks = cache.Layout.BlocksFor(tokens);
        (_keys, Table) = (new PrefixKeys(root, BlockTokens, blocks), new BlockTable(cache.Device, blocks));
        _loads = new PendingLoads(cache, Table);
    }

    /// <summary>The blocks: as many as the sequence has, of which some are absent.</summary>
    public BlockTable Table { get; }

    /// <summary>Whether the blocks may not be those that the next tokens see.</summary>
    public bool IsStale { get; set; }

    /// <summary>Whether blocks are on their way.</summary>
    public bool IsWaiting => _loads.Any;

    /// <summary>Whether a wait for them would be over at once.</summary>
    public bool HaveArrived => _loads.AreOver;

    int BlockTokens => _cache.Layout.BlockTokens;

    int Window => _cache.Layout.LongestWindow;

    /// <summary>Begins to find what the tiers have of a prompt.</summary>
    public Task<PrefixLookup> Find(ReadOnlySpan<int> tokens)
    {
        int blocks = (tokens.Length - 1) / BlockTokens;
        _keys.Extend(tokens, blocks);
        return _cache.Find(new PrefixQuery(_keys.First(blocks), _root, tokens.ToArray(), BlockTokens));
    }

    /// <summary>A request begins, with a prompt of so many tokens.</summary>
    public void BeginRequest(int tokens)
    {
        _borders.Clear();
        _borders.Add(tokens);
        _found = null;
    }

    /// <summary>What the tiers have; what is not used of it is not brought.</summary>
    public void Take(PrefixLookup? found)
    {
        _gone.Clear();
        _found = found;
        IsStale = true;
    }

    /// <summary>Somebody may go on from a position again.</summary>
    public void AddBorder(int position) => _borders.Add(position);

    /// <summary>The blocks that have to be computed, of so many.</summary>
    /// <param name="blocks">How many.</param>
    /// <param name="tail">Tokens after them that will be there, too.</param>
    /// <param name="filled">Tokens of a block that are there in the other layers.</param>
    /// <param name="tokens">The prompt.</param>
    public WindowPlan Plan(int blocks, int tail, Func<int, int> filled, ReadOnlySpan<int> tokens)
    {
        var plan = new WindowPlan(BlockTokens, Window);
        if (_sharing)
            _keys.Extend(tokens, Math.Min(blocks, tokens.Length / BlockTokens));
        plan.Make(blocks, tail, filled, CanHave);
        return plan;
    }

    bool CanHave(int block)
    {
        if (block < Table.Count && !Table.IsAbsent(block))
            return Table.Filled(block) == BlockTokens;
        return _sharing && !_gone.Contains(block) && block < _keys.Count
            && (_cache.Device.Contains(_keys[block]) || block < _found?.Blocks && _found.TierOf(block) is not null);
    }

    /// <summary>Whether what a token sees is there.</summary>
    public bool Sees(int position)
    {
        if (IsStale)
            return false;
        for (int block = Math.Max(0, position - Window + 1) / BlockTokens; block * BlockTokens < position; block++)
            if (block >= Table.Count || Table.IsAbsent(block))
                return false;
        return true;
    }

    /// <summary>
    /// Brings the blocks in line with those of the other layers: what is to be computed there is here, what is seen is brought, and the
    /// rest is absent.
    /// </summary>
    /// <returns>A block that was to be had and is not; -1 when all is well.</returns>
    public int Follow(BlockTable full, WindowPlan plan, ReadOnlySpan<int> tokens)
    {
        if (Table.Count > full.Count)
            Table.Truncate(full.Count);
        for (int block = 0; block < full.Count; block++)
            if (!TryFollow(block, full.Filled(block), plan.IsSeen(block), tokens))
            {
                _gone.Add(block);
                return block;
            }
        (_released, IsStale) = (0, false);
        return -1;
    }

    bool TryFollow(int block, int filled, bool isSeen, ReadOnlySpan<int> tokens)
    {
        if (block == Table.Count)
            Table.AddAbsent(filled);
        bool isThere = !Table.IsAbsent(block) && Table.Filled(block) == filled;
        if (filled < BlockTokens)
        {
            if (!isThere)
                Table.Release(block, 0); // its room comes when it is computed
            return isThere || filled == 0;
        }
        if (isThere)
            return true;
        Table.Release(block, BlockTokens);
        return !isSeen || TryBring(block, tokens);
    }

    bool TryBring(int block, ReadOnlySpan<int> tokens)
    {
        if (!_sharing || _gone.Contains(block) || (block + 1) * BlockTokens > tokens.Length)
            return false;
        _keys.Extend(tokens, block + 1);
        ReadOnlySpan<int> own = _keys.TokensOf(tokens, block);
        BlockLease? lease = _cache.Device.TryFind(_keys[block], own);
        Tier? from = null;
        if (lease is null && block < _found?.Blocks && _found.SourceOf(block) is { Source: { } source } found)
            (lease, from) = (_loads.Want(source, _keys[block], _keys[block - 1], own, found.Place), source.Tier);
        if (lease is null || !_loads.Expect(lease))
        {
            lease?.Dispose();
            return false;
        }
        Table.Replace(block, lease);
        _cache.Touch(lease.Key, isNew: false);
        _cache.Offload(lease.Key, Admission.SecondUse, from);
        return true;
    }

    /// <summary>Begins to load what is wanted.</summary>
    public void Start() => _loads.Start();

    /// <summary>Waits for a layer; false when blocks have become holes.</summary>
    public bool Wait(int layer, CacheUse use)
    {
        bool complete = _loads.Wait(layer, use);
        IsStale |= !complete;
        return complete;
    }

    /// <summary>Waits for all layers.</summary>
    public void WaitForAll(CacheUse use) => Wait(_cache.Layout.Layers.Length - 1, use);

    /// <summary>Takes over a block that somebody else has computed; false when the pool has none.</summary>
    public bool TryAdopt(int block, ReadOnlySpan<int> tokens)
    {
        _keys.Extend(tokens, block + 1);
        if (IsStale || block > Table.Count || _cache.Device.TryFind(_keys[block], _keys.TokensOf(tokens, block)) is not { } lease)
            return false;
        if (lease.Load is not null || lease.HasFailed)
        {
            lease.Dispose();
            return false;
        }
        if (block == Table.Count)
            Table.Add(lease);
        else
        {
            Table.Release(block, 0);
            Table.Replace(block, lease);
        }
        return true;
    }

    /// <summary>Blocks that a sequence of so many tokens would take beside those that it holds.</summary>
    public int Wanted(int tokens)
    {
        int held = 0;
        for (int block = _released; block < Table.Count; block++)
            held += Table.IsAbsent(block) ? 0 : 1;
        return Math.Max(0, Math.Min(_cache.Layout.BlocksFor(tokens), _cache.Layout.BlocksFor(Window) + 1) - held);
    }

    /// <summary>
    /// Makes room for what is computed of the first so many tokens, and gives back what nobody sees any more; false when the pool has too
    /// little.
    /// </summary>
    /// <param name="tokens">How many.</param>
    /// <param name="first">The first position that is computed, now or later.</param>
    public bool TryReserve(int tokens, int first)
    {
        for (int end = Math.Max(0, first - Window + 1) / BlockTokens; _released < Math.Min(end, Table.Count); _released++)
            Table.Release(_released, Table.Filled(_released));
        for (int block = first / BlockTokens; block < _cache.Layout.BlocksFor(tokens); block++)
        {
            if (block == Table.Count)
                Table.AddAbsent(0);
            if (Table.IsAbsent(block) && Table.Filled(block) == 0 && !Table.TryGiveRoom(block))
                return false;
        }
        return true;
    }

    /// <summary>Gives back the blocks behind so many.</summary>
    public void GiveBackRoom(int blocks) => Table.Truncate(Math.Min(blocks, Table.Count));

    /// <summary>The positions <c>[from, to)</c> are computed; blocks that are full now belong to the cache.</summary>
    public void Fill(ReadOnlySpan<int> tokens, int exact, int from, int to)
    {
        Table.Fill(from, to);
        for (int block = from / BlockTokens; _sharing && block * BlockTokens < to; block++)
            if (Table.Filled(block) == BlockTokens && Table[block] is MutableBlock own && (block + 1) * BlockTokens <= exact)
            {
                BlockKey key = Register(block, own, tokens, BlockTokens);
                if (_borders.Any(border => IsBefore(border, block)))
                    Keep(key);
            }
    }

    /// <summary>A request ends after so many tokens: the window before them is kept, and given back until the next one begins.</summary>
    public void EndRequest(int length)
    {
        for (int block = Table.Count - 1; _sharing && block >= 0; block--)
        {
            if (Table[block] is not BlockLease lease)
                continue;
            if (IsBefore(length, block))
                Keep(lease.Key);
            _cache.Touch(lease.Key, isNew: true);
            if (!_loads.Any)
                Table.Release(block, BlockTokens);
        }
        IsStale = true;
    }

    /// <summary>
    /// Whether a block is seen from a position, or from one a block before: what comes next may part from the last few tokens, too.
    /// </summary>
    bool IsBefore(int position, int block) =>
        block * BlockTokens < position && (block + 1) * BlockTokens > position - Window - BlockTokens;

    /// <summary>Tiers take what somebody may go on from.</summary>
    void Keep(BlockKey key)
    {
        _cache.Offload(key, Admission.WhenFull);
        _cache.Offload(key, Admission.EndOfRequest);
    }

    /// <summary>Forgets all tokens; a tail that the other layers leave is left here, too.</summary>
    public void Clear(ReadOnlySpan<int> tokens, int length)
    {
        _loads.Abandon();
        _found = null;
        if (_sharing)
            LeaveTail(tokens, length);
        Table.Clear();
        _keys.Clear();
        (_released, IsStale) = (0, false);
    }

    /// <summary>Forgets the tokens from a position on.</summary>
    public void Cut(int tokens)
    {
        Table.Cut(tokens);
        IsStale = true;
    }

    /// <summary>How many tokens of the block after the sequence's a tail in the pool has.</summary>
    public TailMatch LongestTail(ReadOnlySpan<int> tokens, int block)
    {
        _keys.Extend(tokens, block);
        return _cache.Device.LongestTail(_keys[block - 1], tokens[(block * BlockTokens)..^1]);
    }

    /// <summary>Takes over, as a copy, the first tokens of a block in the pool; false when that cannot be.</summary>
    public bool TryCopyTail(int block, BlockKey key, int tokens)
    {
        if (IsStale || Table.Count != block || _cache.Device.TryFind(key) is not { } source)
            return false;
        using (source)
        {
            if (source.Load is not null || source.HasFailed || !Table.TryAddOwn())
                return false;
            _cache.Device.Arena.Copy(source.Id, Table[block].Id, 0, _cache.Layout.BlockBytes);
            Table.Fill(block * BlockTokens, block * BlockTokens + tokens);
            return true;
        }
    }

    /// <summary>Tokens of a block's beginning that were found.</summary>
    public int TailFound(int block) => _found is { TailFound: { } tail } && tail.Block == block ? tail.Match.Common : 0;

    /// <summary>Takes over so many of them: a copy, to be continued; false when they cannot be had.</summary>
    public bool TryPlaceTail(int tokens)
    {
        (TailFind tail, ITier? from) = (_found!.TailFound!, _found.TailSource);
        BlockLease? source = _cache.Device.TryFind(tail.Match.Key);
        if (source is null && from is not null)
            source = _loads.Want(from, tail.Match.Key, _keys[tail.Block - 1], tail.Tokens, tail.Place);
        if (source is null || Table.Count != tail.Block || !_loads.Expect(source) || !Table.TryAddOwn())
        {
            source?.Dispose();
            return false;
        }
        Table.Fill(tail.Block * BlockTokens, tail.Block * BlockTokens + tokens);
        _loads.TakeOver(tail.Block, source);
        return true;
    }

    void LeaveTail(ReadOnlySpan<int> tokens, int length)
    {
        int block = length / BlockTokens, count = length % BlockTokens;
        if (count == 0 || tokens.Length < length || block >= Table.Count || Table[block] is not MutableBlock own
            || Table.Filled(block) != count)
            return;
        _keys.Extend(tokens, block);
        if (_cache.Device.LongestTail(_keys[block - 1], tokens.Slice(block * BlockTokens, count)).Common == count)
            return; // a longer one begins with it
        _cache.Device.ClearTokens(own, count);
        Keep(Register(block, own, tokens, count));
    }

    BlockKey Register(int block, MutableBlock own, ReadOnlySpan<int> tokens, int count)
    {
        _keys.Extend(tokens, count == BlockTokens ? block + 1 : block);
        ReadOnlySpan<int> content = tokens.Slice(block * BlockTokens, count);
        BlockKey key = count == BlockTokens ? _keys[block] : KeyChain.Next(_keys[block - 1], content);
        BlockLease lease = own.Complete().Register(key, _keys[block - 1], content);
        Table.Replace(block, lease);
        return lease.Key;
    }

    /// <summary>Gives the blocks back.</summary>
    public void Dispose() => Clear([], 0);
}
