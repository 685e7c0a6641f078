using Kvasir.KvCache;

namespace Kvasir.Inference.Kernels;

/// <summary>A part of a stretch, and rows that attend to it together.</summary>
/// <param name="Run">The rows of a run, or of several runs that stand one after the other and share the part's blocks.</param>
/// <param name="Stretch">Which stretch.</param>
/// <param name="Tiles">Which of its tiles.</param>
readonly record struct StretchRun(RowRun Run, int Stretch, TilePart Tiles)
{
    /// <summary>The position behind what several runs share; the largest number for the end of one of them.</summary>
    public int End => Tiles.Ends ? int.MaxValue : Stretch * AttentionInput.Stretch + Tiles.End * AttentionInput.Tile;
}

/// <summary>
/// Who attends to which part of which stretch together. Sequences that begin alike have the same blocks, whose tiles are read and widened
/// once for all their rows (Juravsky et al., Hydragen, 2024, https://arxiv.org/abs/2402.05099); where some of them go on alike, once more
/// for those, and so on. A row gathers the same tiles in the same order as it would alone, so bits do not depend on its company.
/// </summary>
sealed class StretchPlan
{
    const int Tile = AttentionInput.Tile, Stretch = AttentionInput.Stretch;

    readonly List<List<StretchRun>> _levels = [];
    readonly List<int> _shared = []; // by run: tokens at the start whose blocks the next run has, too
    readonly List<int> _ends = []; // by run: tiles of the stretch at hand that both share and see

    /// <summary>How many times those that went on together part at most.</summary>
    public int Levels { get; private set; }

    /// <summary>What there is to do, but for KV heads, once the levels before are done.</summary>
    public List<StretchRun> Work(int level) => _levels[level];

    /// <summary>Finds which runs share blocks with the next.</summary>
    /// <param name="input">The attention.</param>
    /// <param name="mayShare">False where each reads for itself: what comes from the disk lies where it does for a moment only.</param>
    /// <returns>Whether any do, for a whole tile.</returns>
    public bool FindShared(AttentionInput input, bool mayShare = true)
    {
        _shared.Clear();
        int most = 0;
        for (int i = 0; i + 1 < input.Runs.Count; i++)
        {
            _shared.Add(mayShare ? Shared(input, input.Runs[i], input.Runs[i + 1]) : 0);
            most = Math.Max(most, _shared[i]);
        }
        return most >= Tile;
    }

    /// <summary>Lists the stretches of all runs. Nothing is shared that has not just been found.</summary>
    public void List(AttentionInput input, int first, int last)
    {
        foreach (List<StretchRun> level in _levels)
            level.Clear();
        Levels = 0;
        for (int stretch = first; stretch <= last; stretch++)
        {
            _ends.Clear();
            for (int i = 0; i + 1 < input.Runs.Count; i++)
                _ends.Add(TilesTogether(input, i, stretch));
            Divide(input, 0, input.Runs.Count - 1, stretch, tile: 0, level: 0);
        }
    }

    /// <summary>
    /// Lists a stretch from a tile on for some runs: what all of them share, and then the rest of each, or of some that part later.
    /// </summary>
    void Divide(AttentionInput input, int first, int last, int stretch, int tile, int level)
    {
        for (int end; first <= last; first = end + 1)
        {
            (RowRun run, end) = (input.Runs[first], first);
            int together = TilePart.OfStretch;
            for (; end < last && _ends[end] > tile && run.Rows + input.Runs[end + 1].Rows <= CpuKernels.RowsPerRun; end++)
                (run, together) = (run with { Rows = run.Rows + input.Runs[end + 1].Rows }, Math.Min(together, _ends[end]));
            if (end == first)
            {
                Add(level, new StretchRun(run, stretch, TilePart.From(tile)));
                continue;
            }
            Add(level, new StretchRun(run, stretch, new TilePart(tile, together, Ends: false)));
            Divide(input, first, end, stretch, together, level + 1);
        }
    }

    void Add(int level, StretchRun work)
    {
        if (level == _levels.Count)
            _levels.Add([]);
        _levels[level].Add(work);
        Levels = Math.Max(Levels, level + 1);
    }

    /// <summary>Tiles of a stretch, from its start, that two neighbours share, and that all their rows see.</summary>
    int TilesTogether(AttentionInput input, int i, int stretch)
    {
        int start = stretch * Stretch, end = Math.Min(_shared[i], start + Stretch);
        foreach (RowRun run in (ReadOnlySpan<RowRun>)[input.Runs[i], input.Runs[i + 1]])
        {
            if (input.FirstVisible(run.FirstRow + run.Rows - 1) > start)
                return 0;
            end = Math.Min(end, input.Position(run.FirstRow) + 1);
        }
        return stretch < 0 ? 0 : Math.Max(0, end - start) / Tile;
    }

    /// <summary>Tokens at the start of both whose blocks are the same.</summary>
    static int Shared(AttentionInput input, RowRun run, RowRun next) =>
        run.Table.View is not null || next.Table.View is not null || next.FirstRow != run.FirstRow + run.Rows
            ? 0 : run.Table.SharedBlocks(next.Table) * input.Layout.BlockTokens;
}
