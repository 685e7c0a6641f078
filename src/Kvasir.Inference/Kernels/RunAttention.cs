namespace Kvasir.Inference.Kernels;

/// <summary>
/// The attention of one run for one KV head, stretch by stretch: first what a view keeps of the prefix, in stretches that end with −1, then
/// the blocks after it, in stretches from 0 on, which are aligned to absolute positions.
/// </summary>
/// <param name="input">The attention.</param>
/// <param name="run">The run, or several that share blocks.</param>
/// <param name="kvHead">The KV head.</param>
/// <param name="scratch">The thread's memory.</param>
/// <param name="end">The position behind what they share; the largest number for a run of its own.</param>
readonly unsafe struct RunAttention<T>(AttentionInput input, RowRun run, int kvHead, AttentionScratch scratch, int end = int.MaxValue)
    where T : struct, ILanes<T>
{
    readonly StretchAttention<T, BlockRows> _blocks = new(input, run, new BlockRows(input, run, kvHead, end), kvHead, scratch);
    readonly StretchAttention<T, ViewRows> _view = run.Table.View is { } view
        ? new(input, run, new ViewRows(input, view, kvHead), kvHead, scratch) : default;
    readonly int _ofView = input.StretchesOfView(run), _before = run.Table.Start / AttentionInput.Stretch;

    /// <summary>Rows that gather: one for each row of the run and query head.</summary>
    public int Rows => _blocks.Rows;

    /// <summary>Brings the queries to where <see cref="Attend"/> of this stretch, and those after it on its side, expects them.</summary>
    public void LoadQueries(int stretch)
    {
        if (stretch < 0 && _ofView > 0)
            _view.LoadQueries();
        else
            _blocks.LoadQueries();
    }

    /// <summary>Gathers what the rows see of a stretch.</summary>
    /// <param name="stretch">Which stretch.</param>
    /// <param name="gathered">Receives a <see cref="RunningSoftmax{T}"/> for each row, or holds what was gathered of tiles before.</param>
    /// <param name="tiles">Which of its tiles.</param>
    public void Attend(int stretch, float* gathered, TilePart tiles)
    {
        if (stretch >= 0)
            _blocks.Attend(stretch + _before, gathered, tiles);
        else if (_ofView > 0)
            _view.Attend(stretch + _ofView, gathered, tiles);
        else
            _blocks.Start(gathered); // others of the batch have a view
    }
}
