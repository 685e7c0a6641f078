using Kvasir.KvCache;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Causal attention over blocks, read in place: <c>out = softmax(q · K) · V</c> with an online softmax (Milakov and Gimelshein, 2018,
/// https://arxiv.org/abs/1805.02867). An item is one KV head of one run of rows; its keys and values are widened span by span and serve
/// every row and every query head of the group (GQA).
///
/// Spans are sixteen positions, aligned to absolute positions, and combined in ascending order. What a token attends to and in which order
/// thus depends on its position alone, not on the chunk that it was computed in.
/// </summary>
unsafe struct Attention<T>(KvLayout layout, int layer, List<RowRun> runs, List<int> positions, FloatRows queries, FloatRows output, FloatRows[] scratch)
    : IComputeJob where T : struct, ILanes<T>
{
    /// <summary>Positions in a span. A block holds a whole number of spans.</summary>
    public const int Span = 16;

    /// <summary>Rows of the scratch matrix: keys, values, then per query head of the run one row of sums and one of (weights, maximum, total).</summary>
    public static int ScratchRows(int rowsPerRun, int group) => 2 * Span + 2 * rowsPerRun * group;

    /// <summary>Width of the scratch matrix.</summary>
    public static int ScratchWidth(int headDim) => Math.Max(headDim, Span + 2);

    public static int Items(KvLayout layout, int layer, List<RowRun> runs) => runs.Count * layout.Layers[layer].KvHeads;

    public readonly void Run(int item, int thread)
    {
        KvLayer shape = layout.Layers[layer];
        Head head = new(layout, layer, item % shape.KvHeads, queries.Width / shape.HeadDim / shape.KvHeads, runs[item / shape.KvHeads], scratch[thread]);
        Start(head);
        int last = positions[head.Run.FirstRow + head.Run.Rows - 1];
        for (int span = shape.State.FirstVisible(positions[head.Run.FirstRow]) / Span; span <= last / Span; span++)
        {
            Widen(head, span, Math.Min(Span, last - span * Span + 1));
            for (int row = 0; row < head.Run.Rows; row++)
                AttendSpan(head, row, span, positions[head.Run.FirstRow + row]);
        }
        Finish(head);
    }

    /// <summary>What one item works on.</summary>
    readonly struct Head(KvLayout layout, int layer, int kvHead, int group, RowRun run, FloatRows scratch)
    {
        public readonly RowRun Run = run;
        public readonly int Group = group; // query heads that share the KV head
        public readonly int Dim = layout.Layers[layer].HeadDim;
        public readonly long KeyOffset = layout.KeyOffset(layer, kvHead), ValueOffset = layout.ValueOffset(layer, kvHead);
        public readonly int RowBytes = layout.RowBytes(layer);
        public readonly int FirstQuery = kvHead * group;
        public float* Key(int t) => scratch[t];
        public float* Value(int t) => scratch[Span + t];
        public float* Sums(int row, int g) => scratch[2 * Span + 2 * (row * Group + g)];
        public float* Weights(int row, int g) => scratch[2 * Span + 2 * (row * Group + g) + 1];
        public ref float Maximum(int row, int g) => ref Weights(row, g)[Span];
        public ref float Total(int row, int g) => ref Weights(row, g)[Span + 1];
    }

    static void Start(Head head)
    {
        for (int row = 0; row < head.Run.Rows; row++)
            for (int g = 0; g < head.Group; g++)
            {
                new Span<float>(head.Sums(row, g), FloatRows.Pad(head.Dim)).Clear();
                (head.Maximum(row, g), head.Total(row, g)) = (float.NegativeInfinity, 0f);
            }
    }

    readonly void Widen(Head head, int span, int count)
    {
        int position = span * Span;
        byte* first = head.Run.Table.Address(position / layout.BlockTokens) + position % layout.BlockTokens * head.RowBytes;
        for (int t = 0; t < count; t++)
        {
            Widen(first + head.KeyOffset + t * head.RowBytes, head.Key(t), head.Dim, head.RowBytes);
            Widen(first + head.ValueOffset + t * head.RowBytes, head.Value(t), head.Dim, head.RowBytes);
        }
    }

    readonly void Widen(byte* stored, float* row, int dim, int rowBytes)
    {
        if (layout.Codec is F16Codec && dim % ILanes<T>.Count == 0)
            for (int i = 0; i < dim; i += ILanes<T>.Count)
                T.Store(T.LoadHalf((ushort*)stored + i), row + i);
        else
        {
            layout.Codec.Decode(new(stored, rowBytes), new(row, dim));
            new Span<float>(row + dim, FloatRows.Pad(dim) - dim).Clear();
        }
    }

    readonly void AttendSpan(Head head, int row, int span, int position)
    {
        int from = Math.Max(0, layout.Layers[layer].State.FirstVisible(position) - span * Span);
        int to = Math.Min(Span, position - span * Span + 1);
        if (from >= to)
            return;
        for (int g = 0; g < head.Group; g++)
        {
            float* query = queries[head.Run.FirstRow + row] + (head.FirstQuery + g) * head.Dim;
            float kept = Weigh(head, row, g, query, from, to);
            Accumulate(head, row, g, kept, from, to);
        }
    }

    /// <summary>Scores the keys of a span and turns them into weights; returns the factor that scales what came before.</summary>
    static float Weigh(Head head, int row, int g, float* query, int from, int to)
    {
        float* weights = head.Weights(row, g);
        new Span<float>(weights, Span).Fill(float.NegativeInfinity);
        float scale = 1f / MathF.Sqrt(head.Dim);
        for (int t = from; t < to; t++)
            weights[t] = Dot(query, head.Key(t), head.Dim) * scale;
        ref float maximum = ref head.Maximum(row, g);
        float highest = MathF.Max(maximum, T.Largest(T.Load(weights)));
        T.Store(Exp<T>.Of(T.Load(weights) - T.Broadcast(highest)), weights);
        new Span<float>(weights, from).Clear(); // e^-∞ is held at a tiny number: what is not visible weighs exactly nothing
        new Span<float>(weights + to, Span - to).Clear();
        float kept = ExpOf(maximum - highest);
        maximum = highest;
        ref float total = ref head.Total(row, g);
        total = total * kept + T.Sum(T.Load(weights));
        return kept;
    }

    static void Accumulate(Head head, int row, int g, float kept, int from, int to)
    {
        float* sums = head.Sums(row, g), weights = head.Weights(row, g);
        for (int i = 0; i < head.Dim; i += ILanes<T>.Count)
        {
            T sum = T.Load(sums + i) * T.Broadcast(kept);
            for (int t = from; t < to; t++)
                sum = T.MultiplyAdd(T.Broadcast(weights[t]), T.Load(head.Value(t) + i), sum);
            T.Store(sum, sums + i);
        }
    }

    readonly void Finish(Head head)
    {
        for (int row = 0; row < head.Run.Rows; row++)
            for (int g = 0; g < head.Group; g++)
            {
                float* result = output[head.Run.FirstRow + row] + (head.FirstQuery + g) * head.Dim;
                float* sums = head.Sums(row, g);
                float total = head.Total(row, g);
                for (int i = 0; i < head.Dim; i++)
                    result[i] = sums[i] / total;
            }
    }

    static float ExpOf(float x)
    {
        float* lanes = stackalloc float[ILanes<T>.Count];
        T.Store(Exp<T>.Of(T.Broadcast(x)), lanes);
        return lanes[0];
    }

    /// <summary>The query's row continues with the next head, so its last lanes are taken from a padded copy.</summary>
    static float Dot(float* query, float* key, int dim)
    {
        T sum = default;
        int i = 0;
        for (; i + ILanes<T>.Count <= dim; i += ILanes<T>.Count)
            sum = T.MultiplyAdd(T.Load(query + i), T.Load(key + i), sum);
        if (i < dim)
        {
            float* padded = stackalloc float[ILanes<T>.Count];
            new Span<float>(padded, ILanes<T>.Count).Clear();
            new Span<float>(query + i, dim - i).CopyTo(new(padded, ILanes<T>.Count));
            sum = T.MultiplyAdd(T.Load(padded), T.Load(key + i), sum);
        }
        return T.Sum(sum);
    }
}
