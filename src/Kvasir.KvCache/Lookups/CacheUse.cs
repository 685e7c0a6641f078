using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Lookups;

/// <summary>A stretch of a prompt and where its keys and values came from.</summary>
/// <param name="From">Position of its first token.</param>
/// <param name="To">Position after its last.</param>
/// <param name="Tier">The tier; null when they were computed.</param>
public readonly record struct CacheSpan(int From, int To, Tier? Tier);

/// <summary>What the cache did for one request.</summary>
public sealed record CacheUse
{
    readonly List<CacheSpan> _reused = []; // ascending, without overlap
    readonly List<Miss> _misses = [];
    readonly List<string> _peers = [];
    int _computedByPeers;
    readonly List<(PrefixLookup Lookup, int From)> _lookups = []; // each explains what is missing from there to where the next one does

    /// <summary>Tokens of the prompt.</summary>
    public required int Tokens { get; init; }

    /// <summary>
    /// The position from which on those who take notes here count: behind a view. Everything that is told counts from the prompt's start.
    /// </summary>
    internal int Start { get; init; }

    /// <summary>What a retention policy meant for the answer; null without one: it is exact.</summary>
    public RetentionUse? Retention { get; private set; }

    /// <summary>What was read from outside the pool at the end; null when the pool had room for all.</summary>
    public StreamUse? Streamed { get; internal set; }

    /// <summary>What a step was foreseen to read of the prompt when it was admitted; null where the pool has room for it.</summary>
    public StreamForecast? Foreseen { get; internal set; }

    /// <summary>Tokens that were in the pool already, those of the sequence itself included.</summary>
    public int Device => From(Tier.Device);

    /// <summary>Tokens that came from the host's memory.</summary>
    public int Host => From(Tier.Host);

    /// <summary>Tokens that came from the disk.</summary>
    public int Disk => From(Tier.Disk);

    /// <summary>Tokens that came from a shared store.</summary>
    public int Remote => From(Tier.Remote);

    /// <summary>Tokens that came from other machines, which had them or computed them.</summary>
    public int Peer => From(Tier.Peer);

    /// <summary>Of those, the ones that were computed there for this request.</summary>
    public int ComputedByPeers => Math.Min(Peer, _computedByPeers);

    /// <summary>The machines that brought them.</summary>
    public IReadOnlyList<string> Peers => _peers;

    /// <summary>All of them that were computed for nobody's sake now.</summary>
    public int Reused => _reused.Sum(span => span.To - span.From) - ComputedByPeers;

    /// <summary>
    /// The block, which goes on differently or ends, of which the first so many tokens were copied after the last whole
    /// one; null when there was none.
    /// </summary>
    public (BlockKey Key, int Tokens)? Tail { get; internal set; }

    /// <summary>Bytes that were brought into the pool.</summary>
    public long RestoredBytes { get; internal set; }

    /// <summary>How long that took, computing in the meantime or not.</summary>
    public TimeSpan RestoreTime { get; internal set; }

    /// <summary>
    /// About how long computing the reused tokens would have taken, less the time to restore them; zero while the speed is not known.
    /// </summary>
    public TimeSpan Saved { get; internal set; }

    /// <summary>
    /// What was not reused, and why, in ascending positions. Found out when it is asked for, which may take as long
    /// as the tiers take to remember.
    /// </summary>
    public IReadOnlyList<Miss> Misses =>
        [.. _misses.Concat(Enumerable.Range(0, _lookups.Count).SelectMany(Explained)).OrderBy(miss => miss.From)];

    /// <summary>Whether telling the misses takes no time.</summary>
    internal bool IsExplained => _lookups.TrueForAll(lookup => lookup.Lookup.IsExplained);

    /// <summary>The whole prompt, stretch by stretch: where each came from.</summary>
    public IReadOnlyList<CacheSpan> Spans
    {
        get
        {
            List<CacheSpan> spans = [];
            int position = 0;
            foreach (CacheSpan span in _reused)
            {
                Append(spans, new CacheSpan(position, span.From, null));
                Append(spans, span);
                position = span.To;
            }
            Append(spans, new CacheSpan(position, Tokens, null));
            return spans;
        }
    }

    /// <summary>Goes on after what was done for the beginning of the prompt, which a view stands for now.</summary>
    internal void GoOnAfter(CacheUse before)
    {
        _reused.AddRange(before._reused);
        _misses.AddRange(before.Misses);
        _peers.AddRange(before._peers);
        (_computedByPeers, RestoredBytes, RestoreTime) = (before._computedByPeers, before.RestoredBytes, before.RestoreTime);
    }

    /// <summary>A policy is applied; a view that was there is reused.</summary>
    internal void Retain(RetentionUse retention)
    {
        Retention = retention;
        if (retention is { View: not null, WasFound: true })
            Reuse(Tier.Device, -Start, 0);
    }

    internal void Add(Miss miss) => _misses.Add(miss with { From = Start + miss.From, To = Start + miss.To });

    /// <summary>A load is over: if a machine brought it, takes note of who.</summary>
    internal void AddPeer(BlockLoad load)
    {
        if (load.Origin is not { } origin)
            return;
        _computedByPeers += load.ComputedThere;
        if (!_peers.Contains(origin))
            _peers.Add(origin);
    }

    /// <summary>What was missing from a position on is what a lookup did not find.</summary>
    internal void Explain(PrefixLookup lookup, int from) => _lookups.Add((lookup, from));

    IEnumerable<Miss> Explained(int index)
    {
        (PrefixLookup lookup, int from) = _lookups[index];
        int to = index + 1 < _lookups.Count ? _lookups[index + 1].From : int.MaxValue;
        return lookup.Misses.Where(miss => miss.To > from && miss.From < to)
            .Select(miss => miss with { From = Start + Math.Max(miss.From, from), To = Start + Math.Min(miss.To, to) });
    }

    /// <summary>Tokens are reused that were not before.</summary>
    internal void Reuse(Tier tier, int from, int to)
    {
        (from, to) = (Start + from, Start + to);
        int at = _reused.FindLastIndex(span => span.To <= from) + 1;
        if (to > from)
            _reused.Insert(at, new CacheSpan(from, to, tier));
    }

    /// <summary>Tokens that counted as reused are not, after all.</summary>
    internal void Lose(int from, int to)
    {
        (from, to) = (Start + from, Start + to);
        for (int i = _reused.Count - 1; i >= 0; i--)
        {
            CacheSpan span = _reused[i];
            if (span.To <= from || span.From >= to)
                continue;
            _reused.RemoveAt(i);
            if (span.To > to)
                _reused.Insert(i, span with { From = to });
            if (span.From < from)
                _reused.Insert(i, span with { To = from });
        }
    }

    /// <summary>Tokens that came from a tier.</summary>
    public int From(Tier tier) => _reused.Sum(span => span.Tier == tier ? span.To - span.From : 0);

    static void Append(List<CacheSpan> spans, CacheSpan span)
    {
        if (span.From >= span.To)
            return;
        if (spans is [.., var last] && last.Tier == span.Tier && last.To == span.From)
            spans[^1] = last with { To = span.To };
        else
            spans.Add(span);
    }
}
