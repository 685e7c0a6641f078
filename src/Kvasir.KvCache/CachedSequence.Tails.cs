using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache;

/// <summary>Blocks that are not full, of which a sequence takes a copy or leaves one behind.</summary>
public sealed partial class CachedSequence
{
    /// <summary>
    /// Takes over, as a copy, the first tokens of a block that begins like the next one and then goes on differently. Worth it only when
    /// nobody else is about to compute the next one as a whole: half a block of its own is no other's any more.
    /// </summary>
    public void AdoptTail(ReadOnlySpan<int> tokens)
    {
        tokens = Exact(tokens);
        int block = Table.Count, start = block * BlockTokens;
        if (!_sharing || Length != start || IsWaiting || tokens.Length - 1 <= start)
            return;
        _keys.Extend(tokens, block);
        TailMatch tail = _cache.Device.LongestTail(_keys[block - 1], tokens[start..^1]);
        TailMatch? windowed = Windows?.LongestTail(tokens, block);
        int common = Math.Min(tail.Common, windowed?.Common ?? tail.Common);
        if (common == 0 || _cache.Device.TryFind(tail.Key) is not { } source)
            return;
        using (source)
            if (source.Load is null && !source.HasFailed && Table.TryAddOwn())
                if (Windows?.TryCopyTail(block, windowed!.Value.Key, common) == false)
                    Table.Truncate(block);
                else
                    CopyTail(block, source, common);
    }

    void CopyTail(int block, BlockLease source, int tokens)
    {
        _cache.Device.Arena.Copy(source.Id, Table[block].Id, 0, _cache.Layout.BlockBytes);
        Table.Fill(block * BlockTokens, block * BlockTokens + tokens);
        Use.Reuse(Tier.Device, block * BlockTokens, block * BlockTokens + tokens);
        Use.Tail = (source.Key, tokens);
    }

    /// <summary>Takes over the first tokens of a block that goes on differently, or ends: a copy, to be continued.</summary>
    void PlaceTail(TailFind tail, ITier? from)
    {
        int block = tail.Block, start = block * BlockTokens;
        int common = Math.Min(tail.Match.Common, Windows?.TailFound(block) ?? tail.Match.Common);
        if (common == 0)
            return;
        BlockLease? source = _cache.Device.TryFind(tail.Match.Key);
        if (source is null && from is not null)
            source = _loads.Want(from, tail.Match.Key, _keys[block - 1], tail.Tokens, tail.Place);
        if (source is null || !_loads.Expect(source) || !Table.TryAddOwn())
        {
            source?.Dispose();
            Windows?.IsStale = true; // without the tail, what comes next sees a block before those that were brought for it
            return;
        }
        if (Windows?.TryPlaceTail(common) == false)
        {
            source.Dispose();
            Table.Truncate(block);
            Windows.IsStale = true;
            return;
        }
        Table.Fill(start, start + common);
        Use.Reuse(from?.Tier ?? Tier.Device, start, start + common);
        Use.Tail = (tail.Match.Key, common);
        _loads.TakeOver(block, source);
    }

    /// <summary>The last block, not full, becomes findable: the next sequence copies it and goes on.</summary>
    void LeaveTail(ReadOnlySpan<int> tokens)
    {
        int block = Length / BlockTokens, count = Length % BlockTokens;
        if (count == 0 || tokens.Length < Length || Table[block] is not MutableBlock own)
            return;
        _keys.Extend(tokens, block);
        if (_cache.Device.LongestTail(_keys[block - 1], tokens.Slice(block * BlockTokens, count)).Common == count)
            return; // a longer one begins with it
        _cache.Device.ClearTokens(own, count); // what another sequence left there is nobody's business
        BlockKey tail = Register(block, own, tokens, count).Key;
        _cache.Offload(tail, Admission.WhenFull);
        _cache.Offload(tail, Admission.EndOfRequest);
    }
}
