using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;

namespace Kvasir.KvCache.Views;

/// <summary>
/// How the rows of a sequence from some position on read: only pages of which they may expect much (Quest, Tang et al., 2024,
/// https://arxiv.org/abs/2406.10774). All keys and values stay where they are, and those of the rows before that position are exact; those
/// of the rows from there on are not, so they belong to the sequence alone.
/// </summary>
public sealed class PageReads
{
    const int LeastChosen = 8; // pages of a share, besides those that are read in any case

    readonly record struct Tally(long Rows, long Read, long Seen, long Chosen, long Again, double Skipped);

    readonly int[] _firstHead; // of each layer, among the heads of all layers
    readonly Tally[] _tallies; // of each head: threads count apart
    readonly int[][] _last; // of each head: the pages that its last row chose, ascending
    readonly int[] _lastCount;
    readonly KvLayout _layout;
    ChosenPages? _fromDisk;
    long _bytes, _pageBytes, _onDisk, _brought;

    /// <param name="layout">Shape of the blocks.</param>
    /// <param name="policy">What is read.</param>
    /// <param name="from">The first position whose row reads so.</param>
    public PageReads(KvLayout layout, RetentionPolicy policy, int from)
    {
        ArgumentNullException.ThrowIfNull(layout);
        ArgumentNullException.ThrowIfNull(policy);
        (Policy, From, Bounds, _layout) = (policy, from, new PageBounds(layout), layout);
        _firstHead = [.. layout.Layers.Select((_, layer) => layout.Layers.Take(layer).Sum(before => before.KvHeads))];
        int heads = layout.Layers.Sum(layer => layer.KvHeads);
        (_tallies, _lastCount, _last) = (new Tally[heads], new int[heads], [.. Enumerable.Repeat<int[]>([], heads)]);
    }

    /// <summary>What is read.</summary>
    public RetentionPolicy Policy { get; }

    /// <summary>The first position whose row reads so.</summary>
    public int From { get; }

    /// <summary>What is known of the pages.</summary>
    public PageBounds Bounds { get; }

    /// <summary>What was read so far.</summary>
    public PageUse Use => new()
    {
        Rows = _tallies.Max(tally => tally.Rows),
        Read = _tallies.Sum(tally => tally.Read),
        Seen = _tallies.Sum(tally => tally.Seen),
        Chosen = _tallies.Sum(tally => tally.Chosen),
        Again = _tallies.Sum(tally => tally.Again),
        Bound = Policy.Epsilon is null ? null : _tallies.Max(tally => tally.Skipped),
        BoundsBytes = _bytes,
        OnDisk = _onDisk,
        Brought = _brought,
        PageBytes = _pageBytes,
    };

    /// <summary>What the last row chose of what lies on the disk.</summary>
    internal ChosenPages FromDisk => _fromDisk ??= new ChosenPages(_layout);

    /// <summary>Makes room to know the pages of so many tokens. Not while rows attend.</summary>
    public void Reserve(int tokens)
    {
        Bounds.Reserve(tokens);
        _bytes = Math.Max(_bytes, Bounds.Bytes);
    }

    /// <summary>Pages that a row at a position reads in any case, at its beginning and up to its own.</summary>
    public (int First, int Last) Always(int position) => Always(Policy, position);

    /// <summary>How many pages a row at a position reads with those; null where a bound says how many.</summary>
    public int? Budget(int position) => Budget(Policy, position);

    /// <summary>
    /// How many pages a row at a position reads: all if it sees fewer tokens than the policy thins; of a share, some besides those that
    /// it reads in any case, however few pages there are; null where a bound says how many.
    /// </summary>
    public static int? Budget(RetentionPolicy policy, int position)
    {
        ArgumentNullException.ThrowIfNull(policy);
        const int Page = PageBounds.PageTokens;
        int pages = position / Page + 1;
        (int first, int last) = Always(policy, position);
        return position + 1 < policy.Minimum ? pages : policy.Budget switch
        {
            RetentionBudget.Share share => Math.Min(pages, Math.Max((int)Math.Ceiling(share.Of * pages), first + last + LeastChosen)),
            RetentionBudget.Tokens tokens => (int)Math.Min(pages, Math.Max((tokens.PerHead + Page - 1L) / Page, first + last)),
            _ => null,
        };
    }

    /// <summary>The last ones are the policy's or, if there are more, those that have no bounds yet.</summary>
    static (int First, int Last) Always(RetentionPolicy policy, int position)
    {
        const int Page = PageBounds.PageTokens;
        int pages = position / Page + 1, sinks = Math.Min(pages, (policy.Sinks + Page - 1) / Page);
        int recent = Math.Max(0, position - Math.Max(1, policy.Recent) + 1) / Page;
        return (sinks, Math.Min(pages - sinks, pages - Math.Min(recent, PageBounds.GroupsOf(position) * PageBounds.GroupPages)));
    }

    /// <summary>The pages that the last row chose, ascending: without those that it reads in any case.</summary>
    public ReadOnlySpan<int> Chosen(int layer, int kvHead) =>
        _last[_firstHead[layer] + kvHead].AsSpan(0, _lastCount[_firstHead[layer] + kvHead]);

    /// <summary>Takes note of how many pages that a row reads lie on the disk, and how many of them were brought for it.</summary>
    internal void NoteDisk(int pages, int brought)
    {
        (_onDisk, _brought) = (_onDisk + pages, _brought + brought);
        _pageBytes = Math.Max(_pageBytes, FromDisk.Bytes);
    }

    /// <summary>Forgets the pages that came from the disk.</summary>
    internal void ForgetPages() => _fromDisk?.Dispose();

    /// <summary>Forgets what is known of tokens from one on.</summary>
    internal void Truncate(int tokens)
    {
        Bounds.Truncate(tokens);
        if (tokens == 0)
            ForgetPages();
    }

    /// <summary>Takes note of what a row reads. Of one layer's head, one row after the other.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="kvHead">The KV head.</param>
    /// <param name="seen">Pages that it sees.</param>
    /// <param name="always">Pages that it reads in any case.</param>
    /// <param name="chosen">The others that it reads, ascending.</param>
    /// <param name="skipped">The share of its attention that what it skips has at most; 0 if nobody asks.</param>
    public void Note(int layer, int kvHead, int seen, int always, ReadOnlySpan<int> chosen, double skipped)
    {
        int head = _firstHead[layer] + kvHead, again = 0, last = 0;
        ReadOnlySpan<int> before = _last[head].AsSpan(0, _lastCount[head]);
        foreach (int page in chosen)
        {
            while (last < before.Length && before[last] < page)
                last++;
            again += last < before.Length && before[last] == page ? 1 : 0;
        }
        if (_last[head].Length < chosen.Length)
            _last[head] = new int[Math.Max(2 * _last[head].Length, chosen.Length)];
        chosen.CopyTo(_last[head]);
        _lastCount[head] = chosen.Length;
        ref Tally tally = ref _tallies[head];
        tally = new Tally(tally.Rows + 1, tally.Read + always + chosen.Length, tally.Seen + seen, tally.Chosen + chosen.Length,
            tally.Again + again, Math.Max(tally.Skipped, skipped));
    }
}
