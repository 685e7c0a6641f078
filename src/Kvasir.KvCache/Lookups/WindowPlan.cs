namespace Kvasir.KvCache.Lookups;

/// <summary>
/// Which blocks of a sequence have to be computed where windowed layers keep a window only. A token is computed in all layers, so it sees
/// all before it in some and a window in others: a block that is there in the layers without windows is of use only where no token after
/// it sees what the others have given up. Found from the end to the start, because what is computed wants the window before it, too.
/// </summary>
/// <param name="blockTokens">Tokens of a block.</param>
/// <param name="window">Tokens of the longest window.</param>
sealed class WindowPlan(int blockTokens, int window)
{
    readonly List<bool> _isSeen = [];

    /// <summary>Blocks that are there and have to be computed all the same, in ascending order.</summary>
    public List<int> Again { get; } = [];

    /// <summary>Whether a token that is to be computed sees a block through a window.</summary>
    public bool IsSeen(int block) => block < _isSeen.Count && _isSeen[block];

    /// <summary>Makes the plan of so many blocks, after which tokens are computed.</summary>
    /// <param name="blocks">How many.</param>
    /// <param name="tail">Tokens after them that will be there, too.</param>
    /// <param name="filled">Tokens of a block that are there, from its start; a whole block is not computed.</param>
    /// <param name="isInWindows">Whether a whole block is there in the windowed layers, or can be had.</param>
    public void Make(int blocks, int tail, Func<int, int> filled, Func<int, bool> isInWindows)
    {
        Again.Clear();
        _isSeen.Clear();
        _isSeen.AddRange(Enumerable.Repeat(false, blocks));
        int first = blocks * blockTokens + tail - window + 1; // that is seen
        for (int block = blocks - 1; block >= 0; block--)
        {
            int start = block * blockTokens, there = filled(block);
            _isSeen[block] = start + blockTokens > first;
            if (there == blockTokens && _isSeen[block] && !isInWindows(block))
            {
                Again.Add(block);
                there = 0;
            }
            if (there < blockTokens)
                first = Math.Min(first, start + there - window + 1);
        }
        Again.Reverse();
    }
}
