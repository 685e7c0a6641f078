using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Prefixes;

/// <summary>Looks a prompt up in all tiers and says why what is missing is missing.</summary>
sealed class PrefixIndex(BlockPool device, BlockPool? host, DiskTier? disk)
{
    /// <summary>Finds where the blocks of a prompt are. Keys are computed as far as they are not known.</summary>
    public void Find(PrefixLookup lookup, PrefixKeys keys, ReadOnlySpan<int> tokens)
    {
        lookup.Start(tokens.Length, keys.BlockTokens);
        int reusable = tokens.Length - 1, blocks = reusable / keys.BlockTokens; // the last token is computed in any case, for its logits
        keys.Extend(tokens, blocks);
        disk?.Refresh();
        for (int block = 0; block < blocks; block++)
        {
            int slot = -1;
            Tier? tier = device.Contains(keys[block]) ? Tier.Device
                : host?.Contains(keys[block]) == true ? Tier.Host
                : disk?.TryFind(keys[block], out slot) == true ? Tier.Disk
                : null;
            lookup.Add(tier, slot);
        }
        FindTail(lookup, keys, tokens[..reusable]);
    }

    /// <summary>Says why each missing token is missing.</summary>
    public void Explain(PrefixLookup lookup, PrefixKeys keys, ReadOnlySpan<int> tokens, BlockKey root)
    {
        for (int block = 0; block < lookup.TailBlock; block++)
            if (lookup.TierOf(block) is null)
                lookup.Add(Hole(block, keys));
        int from = lookup.TailStart + lookup.Tail.Common;
        if (from < tokens.Length - 1)
            lookup.Add(End(lookup, keys, tokens, from, root));
    }

    /// <summary>A tail may follow the last full block, whether that is there or not; else what follows the last block that is there may begin alike.</summary>
    void FindTail(PrefixLookup lookup, PrefixKeys keys, ReadOnlySpan<int> reusable)
    {
        FindTail(lookup, keys, reusable, lookup.Blocks);
        if (lookup.Tail.Common == 0)
            FindTail(lookup, keys, reusable, lookup.LastPresent + 1);
    }

    void FindTail(PrefixLookup lookup, PrefixKeys keys, ReadOnlySpan<int> reusable, int block)
    {
        lookup.SetTail(block, default, default);
        if (block * keys.BlockTokens >= reusable.Length)
            return;
        BlockKey parent = keys[block - 1];
        ReadOnlySpan<int> following = keys.TokensOf(reusable, block);
        Offer(device.LongestTail(parent, following), Tier.Device);
        if (host is not null)
            Offer(host.LongestTail(parent, following), Tier.Host);
        if (disk is not null)
            Offer(disk.LongestTail(parent, following), Tier.Disk);

        void Offer(TailMatch match, Tier tier)
        {
            if (match.Found && (!lookup.Tail.Found || match.Common > lookup.Tail.Common))
                lookup.SetTail(block, match, tier);
        }
    }

    Miss Hole(int block, PrefixKeys keys)
    {
        int from = block * keys.BlockTokens, to = from + keys.BlockTokens;
        return Evicted(keys[block], from, to) ?? new Miss(from, to, MissReason.NeverSeen);
    }

    Miss End(PrefixLookup lookup, PrefixKeys keys, ReadOnlySpan<int> tokens, int from, BlockKey root)
    {
        int to = tokens.Length - 1, block = lookup.TailBlock;
        TailMatch tail = lookup.Tail;
        if (block < lookup.Blocks && Evicted(keys[block], from, to) is { } evicted)
            return evicted;
        if (tail.Found && tail.Expected >= 0)
            return new Miss(from, to, MissReason.Diverged, Expected: tail.Expected, Got: tokens[from]);
        if (!tail.Found && block == 0 && Elsewhere(keys.TokensOf(tokens, 0), root) is { } elsewhere)
            return elsewhere with { From = from, To = to };
        return new Miss(from, to, !tail.Found && block > 0 && to - from < keys.BlockTokens ? MissReason.BelowBlockSize : MissReason.NeverSeen);
    }

    Miss? Evicted(BlockKey key, int from, int to)
    {
        if (disk?.TryGetEvicted(key, out DateTimeOffset when) == true)
            return new Miss(from, to, MissReason.Evicted, Tier.Disk, when);
        if (host?.TryFindEviction(key, out when) == true)
            return new Miss(from, to, MissReason.Evicted, Tier.Host, when);
        return device.TryFindEviction(key, out when) ? new Miss(from, to, MissReason.Evicted, Tier.Device, when) : null;
    }

    /// <summary>Whether the first block is there for another model or under another salt.</summary>
    Miss? Elsewhere(ReadOnlySpan<int> firstBlock, BlockKey root)
    {
        if (disk is null)
            return null;
        foreach ((BlockKey other, Fingerprint fingerprint, string model) in disk.Roots())
        {
            if (other == root || !disk.Knows(KeyChain.Next(other, firstBlock)))
                continue;
            return fingerprint == disk.Fingerprint ? new Miss(0, 0, MissReason.OtherSalt) : new Miss(0, 0, MissReason.OtherModel, Detail: model);
        }
        return null;
    }
}
