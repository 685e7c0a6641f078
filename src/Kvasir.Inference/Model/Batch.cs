using Kvasir.Inference.Kernels;
using Kvasir.KvCache;

namespace Kvasir.Inference.Model;

/// <summary>
/// The rows of one forward pass: each a token, its position and the sequence that it belongs to. Rows of one sequence stand together, in
/// ascending positions; every position before a row's must be in the cache or in the batch.
/// </summary>
sealed class Batch
{
    readonly List<int> _tokens = [];
    readonly List<int> _positions = [];
    readonly List<RowRun> _runs = [];
    readonly List<RowRun> _wholeRuns = [];
    readonly List<RowRun> _pagedRuns = [];
    readonly List<RowRun> _windowRuns = [];
    readonly List<int> _logitRows = [];
    readonly List<CachedSequence> _sequences = [];

    public int Count => _tokens.Count;
    public List<int> Tokens => _tokens;
    public List<int> Positions => _positions;

    /// <summary>The rows in groups that attend together, at most <see cref="CpuKernels.RowsPerRun"/> each.</summary>
    public List<RowRun> Runs => _runs;

    /// <summary>Of those, the ones whose rows read everything.</summary>
    public List<RowRun> WholeRuns => _wholeRuns;

    /// <summary>Of those, the ones whose rows read only some pages.</summary>
    public List<RowRun> PagedRuns => _pagedRuns;

    /// <summary>The rows in the blocks of layers with windows, where those have blocks of their own.</summary>
    public List<RowRun> WindowRuns => _windowRuns;

    /// <summary>The rows whose logits are wanted.</summary>
    public List<int> LogitRows => _logitRows;

    /// <summary>Brings what its sequences have on the disk; null when they have nothing there.</summary>
    public StreamedPass? Streamed { get; set; }

    /// <summary>Whose tokens they are.</summary>
    public IReadOnlyList<CachedSequence> Sequences => _sequences;

    /// <summary>Who looks at the attention of all rows, which then are of one sequence; null for nobody.</summary>
    public AttentionObserver? Observer { get; set; }

    public void Add(int token, int position, CachedSequence sequence, bool wantsLogits)
    {
        bool isPaged = sequence.Table.Pages is { From: var from } && position >= from;
        if (isPaged)
            sequence.Table.Pages!.Reserve(position + 1);
        AddTo(_runs, sequence.Table);
        if (sequence.WindowTable is { } windows) // between what two rows see, there may be nothing: those of a run see one stretch
            AddTo(_windowRuns, windows, mayGoOn: Count == 0 || position == _positions[^1] + 1);
        AddTo(isPaged ? _pagedRuns : _wholeRuns, sequence.Table);
        if (_sequences.Count == 0 || _sequences[^1] != sequence)
            _sequences.Add(sequence);
        if (wantsLogits)
            _logitRows.Add(Count);
        _tokens.Add(token);
        _positions.Add(position);
    }

    void AddTo(List<RowRun> runs, BlockTable table, bool mayGoOn = true)
    {
        if (mayGoOn && runs.Count > 0 && runs[^1] is { Rows: < CpuKernels.RowsPerRun } last && last.Table == table)
            runs[^1] = last with { Rows = last.Rows + 1 };
        else
            runs.Add(new RowRun(table, Count, 1));
    }

    /// <summary>
    /// Waits until what the rows attend to in a layer is there; false when some of it will not come, and the batch has to be made anew.
    /// </summary>
    public bool WaitForLayer(int layer)
    {
        bool complete = true;
        foreach (CachedSequence sequence in _sequences)
            complete &= sequence.WaitForLayer(layer);
        return complete;
    }

    public void Clear()
    {
        (Observer, Streamed) = (null, null);
        _sequences.Clear();
        _tokens.Clear();
        _positions.Clear();
        _runs.Clear();
        _wholeRuns.Clear();
        _pagedRuns.Clear();
        _windowRuns.Clear();
        _logitRows.Clear();
    }
}
