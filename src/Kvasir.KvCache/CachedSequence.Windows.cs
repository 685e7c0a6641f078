using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;

namespace Kvasir.KvCache;

/// <summary>Layers with windows, which have blocks of their own where the layout has them apart.</summary>
public sealed partial class CachedSequence
{
    /// <summary>The blocks of the layers with windows, for kernels to read; null where blocks hold all layers.</summary>
    public BlockTable? WindowTable => Windows?.Table;

    /// <summary>What is there of those layers.</summary>
    internal SequenceWindows? Windows { get; init; }

    /// <summary>
    /// Blocks of the layers with windows that the sequence would take beside those that it holds, to hold so many tokens; what a pass
    /// writes beyond a window does not count.
    /// </summary>
    public int WindowBlocksWanted(ReadOnlySpan<int> tokens) => Windows?.Wanted(tokens.Length + 1) ?? 0;

    /// <summary>Forgets the tokens from a position on, which must not lie within a shared block.</summary>
    public void Cut(int tokens)
    {
        Table.Cut(tokens);
        Windows?.Cut(tokens);
    }

    /// <summary>Forgets all tokens and leaves nothing behind.</summary>
    public void Forget()
    {
        Table.Clear();
        Windows?.Clear([], 0);
    }

    /// <summary>
    /// What the next tokens see in the layers with windows is there or on its way, or becomes a hole. To be called before it is asked which
    /// tokens are missing.
    /// </summary>
    public void Align(ReadOnlySpan<int> tokens)
    {
        if (Windows is null || Windows.Sees(Length))
            return;
        Bring(Exact(tokens), tail: 0, Windows);
        Windows.Start();
    }

    void Bring(ReadOnlySpan<int> tokens, int tail, SequenceWindows windows)
    {
        windows.WaitForAll(Use); // a load that has begun takes no more
        bool isFirst = true; // and the last in order: somebody may go on after it again, and not after each before it
        for (int again; ; LoseForWindows(again), isFirst = false)
        {
            WindowPlan plan = windows.Plan(Table.Count, tail, Table.Filled, tokens);
            again = plan.Again.Count > 0 ? plan.Again[^1] : windows.Follow(Table, plan, tokens);
            if (again < 0)
                return;
            if (isFirst)
                windows.AddBorder((again + 1) * BlockTokens);
        }
    }

    /// <summary>A block is to be computed again, if only for the layers with windows.</summary>
    void LoseForWindows(int block)
    {
        MakeRoomForOne();
        (int from, int to) = (block * BlockTokens, block * BlockTokens + Table.Filled(block));
        Use.Lose(from, to);
        Use.Add(new Miss(from, to, MissReason.WindowGone));
        Table.MakeHole(block);
        Use.Lose(Table.Count * BlockTokens, int.MaxValue - Table.Start);
    }

    /// <summary>Treats blocks as missing of which the next tokens would not see what they have to in the layers with windows.</summary>
    void ForgoWhatSeesNothing(ReadOnlySpan<int> tokens, PrefixLookup lookup)
    {
        if (Windows is null)
            return;
        Windows.Take(lookup.Windows);
        if (lookup.Windows is { } windows)
            lookup.LimitTail(windows);
        int blocks = Math.Max(Table.Count, lookup.LastPresent + 1);
        foreach (int block in Windows.Plan(blocks, blocks == lookup.TailBlock ? TailOf(lookup) : 0, FilledOrFound, tokens).Again)
        {
            if (block >= lookup.Blocks || lookup.TierOf(block) is null)
                continue; // the sequence's own, of which Align takes care
            lookup.Forgo(block, MissReason.WindowGone);
            if (block + 1 == lookup.Blocks || lookup.TierOf(block + 1) is null && !lookup.IsForgone(block + 1))
                Windows.AddBorder((block + 1) * BlockTokens);
        }

        int FilledOrFound(int block) => block < Table.Count && Table.Filled(block) > 0 ? Table.Filled(block)
            : block < lookup.Blocks && lookup.TierOf(block) is not null ? BlockTokens : 0;
    }

    /// <summary>Tokens of a tail that was found in all layers.</summary>
    int TailOf(PrefixLookup lookup) => Math.Min(lookup.Tail.Common, Windows?.TailFound(lookup.TailBlock) ?? lookup.Tail.Common);

    /// <summary>Both lookups as one.</summary>
    static Task<PrefixLookup> Join(Task<PrefixLookup> found, Task<PrefixLookup> windows)
    {
        return found.IsCompletedSuccessfully && windows.IsCompletedSuccessfully
            ? Task.FromResult(Joined(found.Result, windows.Result)) : Wait();

        async Task<PrefixLookup> Wait() => Joined(await found.ConfigureAwait(false), await windows.ConfigureAwait(false));
    }

    static PrefixLookup Joined(PrefixLookup found, PrefixLookup windows)
    {
        found.Windows = windows;
        if (found.Later is not null || windows.Later is not null)
            found.Later = Join(found.Later ?? Task.FromResult(found), windows.Later ?? Task.FromResult(windows));
        return found;
    }
}
