using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The rows of one run attend, for the query heads of one KV head, to one stretch of places after the other. Within a stretch, tiles
/// follow in ascending order, and so do the places of a tile. What a row gathers, and in which order, depends on its position alone:
/// which rows share a tile, and who computes which stretch, changes nothing.
/// </summary>
readonly unsafe struct StretchAttention<T, TSource>(
    AttentionInput input, RowRun run, TSource source, int kvHead, AttentionScratch scratch)
    where T : struct, ILanes<T> where TSource : struct, IKvSource
{
    const int Tile = AttentionInput.Tile, TilesPerStretch = TilePart.OfStretch;

    readonly TSource _source = source;
    readonly KvTile<T, TSource> _tile = new(source, scratch);
    readonly KvRows _keys = source.Keys, _values = source.Values;
    readonly int _group = input.Group, _keyDim = input.KeyDim, _keyPadded = FloatRows.PadToLanes(input.KeyDim);
    readonly int _valueDim = input.ValueDim, _valuePadded = FloatRows.PadToLanes(input.ValueDim);
    readonly int _width = RunningSoftmax<T>.Width(input.ValueDim);
    readonly float? _cap = input.Form.Cap;

    /// <summary>Rows that gather: one for each row of the run and query head.</summary>
    public int Rows => run.Rows * _group;

    /// <summary>
    /// Copies the queries, scaled, and rotated where keys are, to where <see cref="Attend"/> expects them:
    /// [row · group + query head, key dim].
    /// </summary>
    public void LoadQueries()
    {
        float* scaled = scratch.Queries[0];
        for (int row = 0; row < run.Rows; row++)
        {
            float scale = input.Form.OfQuery(_keyDim, input.Position(run.FirstRow + row));
            float* query = input.Queries[run.FirstRow + row] + kvHead * _group * _keyDim;
            for (int g = 0; g < _group; g++, query += _keyDim, scaled += _keyPadded)
            {
                int i = 0;
                for (; i + ILanes<T>.Count <= _keyDim; i += ILanes<T>.Count)
                    T.Store(T.Load(query + i) * T.Broadcast(scale), scaled + i);
                for (; i < _keyDim; i++) // the next head's query follows
                    scaled[i] = query[i] * scale;
                if (_keys.AreRotated)
                    Hadamard.Transform(new Span<float>(scaled, _keyDim));
            }
        }
    }

    /// <summary>Gathers what the rows see of a stretch.</summary>
    /// <param name="stretch">Which stretch of the source's places.</param>
    /// <param name="gathered">Receives a <see cref="RunningSoftmax{T}"/> for each row.</param>
    /// <param name="tiles">The tiles of the stretch that are meant, where others of it are gathered before or afterwards.</param>
    public void Attend(int stretch, float* gathered, TilePart tiles)
    {
        if (tiles.Begins)
            Start(gathered);
        int first = Math.Max(stretch * TilesPerStretch + tiles.First, _source.First(run.FirstRow) / Tile);
        int last = Math.Min(stretch * TilesPerStretch + tiles.End - 1, (End - 1) / Tile);
        for (int tile = first; tile <= last; tile++)
            AttendTile(tile * Tile, gathered);
        for (int row = 0; row < Rows && _values.AreRotated && tiles.Ends; row++)
            Hadamard.Transform(new Span<float>(gathered + row * _width, _valueDim)); // sums of rotated values, turned back
    }

    /// <summary>Nothing gathered yet.</summary>
    public void Start(float* gathered)
    {
        for (int row = 0; row < Rows; row++)
            RunningSoftmax<T>.Start(gathered + row * _width, _valueDim);
    }

    /// <summary>Rows are in ascending positions, so those that see a tile stand together.</summary>
    void AttendTile(int start, float* gathered)
    {
        (int first, int end) = (0, run.Rows);
        while (first < end && To(first, start) <= 0)
            first++;
        while (end > first && From(end - 1, start) >= Tile)
            end--;
        if (first == end)
            return;
        (int from, int to) = (From(first, start), To(end - 1, start));
        _tile.Widen(start, from, to, End);
        Score(first, end, from & -ILanes<T>.Count, FloatRows.PadToLanes(to));
        Weigh(first, end, start, gathered);
        Accumulate(first, end, start, gathered);
    }

    /// <summary>
    /// Leaves in the scratch weights, [row · group + query head, tile], with which probability each row looks at the places of a tile; 0
    /// where it does not see them.
    /// </summary>
    /// <param name="start">The first place of the tile.</param>
    /// <param name="scales">What turns scores into probabilities, as <see cref="RunningSoftmax{T}.WriteScale"/> left it.</param>
    public void Probabilities(int start, FloatRows scales)
    {
        int to = Math.Min(Tile, End - start), padded = FloatRows.PadToLanes(to);
        _tile.WidenKeys(start, to);
        Score(0, run.Rows, 0, padded);
        for (int row = 0; row < Rows; row++)
        {
            float* weights = scratch.Weights[row], scale = scales[run.FirstRow + row / _group] + 2 * (kvHead * _group + row % _group);
            T largest = T.Broadcast(scale[0]), share = T.Broadcast(scale[1]);
            for (int i = 0; i < padded; i += ILanes<T>.Count)
                T.Store(Exp<T>.PowerOf2(T.Load(weights + i) - largest) * share, weights + i);
            for (int i = Math.Clamp(To(row / _group, start), 0, Tile); i < Tile; i++)
                weights[i] = 0;
        }
    }

    /// <summary>Leaves in the scratch weights the scores of the first places, as powers of 2.</summary>
    public void Score(int places)
    {
        _tile.WidenKeys(0, places);
        Score(0, run.Rows, 0, places);
    }

    /// <summary>The place after the last that any row sees.</summary>
    int End => _source.End(run.FirstRow + run.Rows - 1);

    /// <summary>What a row sees of a tile: the places <c>[from, to)</c>.</summary>
    int From(int row, int start) => Math.Max(0, _source.First(run.FirstRow + row) - start);

    int To(int row, int start) => Math.Min(Tile, _source.End(run.FirstRow + row) - start);

    /// <summary>Scores of places that some row does not see, or nobody, are computed too and never looked at.</summary>
    void Score(int first, int end, int from, int to)
    {
        float* scores = scratch.Weights[first * _group];
        int rows = (end - first) * _group;
        RowsByPanel<T>.Multiply(scratch.Queries[0] + first * _group * _keyPadded, _keyPadded, rows,
            scratch.Keys[0] + from, Tile, _keyDim, scores + from, Tile, to - from);
        for (int row = 0; row < rows && _cap is not null; row++)
            SoftCap<T>.Apply(scores + row * Tile + from, to - from, _cap.Value);
    }

    /// <summary>Rows that see the same of the tile are weighed together: mostly all of it.</summary>
    void Weigh(int first, int end, int start, float* gathered)
    {
        bool alike = SeeAlike(first, end, start);
        for (int row = first, next; row < end; row = next)
        {
            next = alike ? end : row + 1;
            RunningSoftmax<T>.Weigh(gathered + row * _group * _width, _valueDim, (next - row) * _group,
                scratch.Weights[row * _group], From(row, start), To(row, start));
        }
    }

    /// <summary>Whether rows see the same places of a tile. Bounds ascend with the rows.</summary>
    bool SeeAlike(int first, int end, int start) => From(first, start) == From(end - 1, start) && To(first, start) == To(end - 1, start);

    /// <summary>
    /// Adds the weighted values. The places that all rows see are taken together; those before and after, row by row, since a row may
    /// touch only what it sees: a weight of zero times a value that is not a number would be one.
    /// </summary>
    void Accumulate(int first, int end, int start, float* gathered)
    {
        int from = From(end - 1, start), to = Math.Max(from, To(first, start));
        bool alike = SeeAlike(first, end, start);
        for (int row = first; row < end && !alike; row++)
            Add(row, 1, From(row, start), Math.Min(from, To(row, start)), gathered);
        Add(first, end - first, from, to, gathered);
        for (int row = first; row < end && !alike; row++)
            Add(row, 1, Math.Max(to, From(row, start)), To(row, start), gathered);
    }

    void Add(int row, int rows, int from, int to, float* gathered)
    {
        if (from < to)
            RowsByPanel<T>.MultiplyAdd(
                scratch.Weights[row * _group] + from, Tile, rows * _group, scratch.Values[0] + from * _valuePadded, _valuePadded, to - from,
                gathered + row * _group * _width, _width, _valuePadded);
    }
}
