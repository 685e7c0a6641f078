using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>One layer's attention for the rows of a batch: what is read and where the result goes.</summary>
/// <param name="layout">Where keys and values lie in a block.</param>
/// <param name="layer">The layer.</param>
/// <param name="runs">The rows, in groups that attend together.</param>
/// <param name="positions">Each row's position; ascending within a run.</param>
/// <param name="queries">[rows, heads · key dim].</param>
/// <param name="output">[rows, heads · value dim].</param>
/// <param name="form">How products of queries and keys become scores.</param>
/// <param name="sinks">The sink of each query head, as a power of 2, [heads]; null where there are none.</param>
/// <param name="scales">Receives what turns a score into a probability, [rows, heads · 2], where somebody wants to know.</param>
readonly struct AttentionInput(
    KvLayout layout, int layer, List<RowRun> runs, List<int> positions, FloatRows queries, FloatRows output, ScoreForm form = default,
    FloatRows? sinks = null, FloatRows? scales = null)
{
    /// <summary>Positions whose keys and values are widened together, aligned to absolute positions.</summary>
    public const int Tile = 64;

    /// <summary>
    /// Positions that are gathered on their own before they are merged with those before them; aligned to absolute positions.
    /// </summary>
    public const int Stretch = 512;

    public readonly KvLayout Layout = layout;
    public readonly int Layer = layer;
    public readonly List<RowRun> Runs = runs;
    public readonly FloatRows Queries = queries, Output = output;
    public readonly ScoreForm Form = form;
    public readonly FloatRows? Scales = scales;
    public readonly int KvHeads = layout.Layers[layer].KvHeads;
    public readonly int KeyDim = layout.Layers[layer].KeyDim, ValueDim = layout.Layers[layer].ValueDim;

    readonly int _window = layout.Layers[layer].State is LayerState.Window window ? window.Tokens : int.MaxValue;

    /// <summary>Query heads that share a KV head.</summary>
    public int Group => Queries.Width / KeyDim / KvHeads;

    public int Rows => Runs[^1].FirstRow + Runs[^1].Rows;

    /// <summary>The same for some of the rows.</summary>
    public AttentionInput Of(List<RowRun> some) => new(Layout, Layer, some, positions, Queries, Output, Form, sinks, Scales);

    public int Position(int row) => positions[row];

    /// <summary>The first position that a row sees; the last is its own.</summary>
    public int FirstVisible(int row) => Math.Max(0, positions[row] - _window + 1);

    /// <summary>Pages before a row's own.</summary>
    public int WholePages(int row) => positions[row] / PageBounds.PageTokens;

    /// <summary>Groups of pages that are all before a row's own.</summary>
    public int WholeGroups(int row) => PageBounds.GroupsOf(positions[row]);

    /// <summary>The stretches that a run sees, from the first to the last; see <see cref="RunAttention{T}"/>.</summary>
    public (int First, int Last) Stretches(RowRun run)
    {
        int start = run.Table.Start / Stretch, ofView = StretchesOfView(run);
        return (ofView > 0 ? -ofView : FirstVisible(run.FirstRow) / Stretch - start,
            positions[run.FirstRow + run.Rows - 1] / Stretch - start);
    }

    /// <summary>Stretches of what a view keeps for the head that keeps most; 0 without one.</summary>
    public int StretchesOfView(RowRun run) => run.Table.View is { } view ? (view.Most(Layer) + Stretch - 1) / Stretch : 0;

    /// <summary>
    /// What a row has gathered for a query head becomes its result. A sink comes last, so that its place does not depend on how the row's
    /// positions were shared out.
    /// </summary>
    public unsafe void Finish<T>(float* gathered, int row, int head) where T : struct, ILanes<T>
    {
        if (sinks is not null)
            RunningSoftmax<T>.AddSink(gathered, ValueDim, sinks[0][head]);
        RunningSoftmax<T>.Finish(gathered, ValueDim, Output[row] + head * ValueDim);
        if (Scales is not null)
            RunningSoftmax<T>.WriteScale(gathered, ValueDim, Scales[row] + 2 * head);
    }
}
