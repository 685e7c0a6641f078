using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Causal attention over blocks, read in place: <c>out = softmax(q · K / sqrt(key dim)) · V</c>. Positions are gathered in stretches, which
/// are merged in ascending order. Many runs and KV heads keep all threads busy, each with the whole of one; when there are few, as in
/// decode, the stretches are shared out as well, and where runs have blocks in common, those are read once for all of them. It is the same
/// arithmetic in the same order, so it is the same result.
/// </summary>
sealed unsafe class Attention<T> : IDisposable where T : struct, ILanes<T>
{
    const int EnoughItems = 8; // for each thread, so that the last one to finish keeps the others waiting little
    const long MostGathered = 16 << 20; // floats: 64 MiB

    readonly ComputePool _pool;
    readonly AttentionScratch[] _scratch;
    readonly StretchPlan _plan = new();
    readonly long _mostToShareOut;
    FloatRows _gathered; // of stretches that are shared out
    FloatRows? _parts; // of all stretches before a part

    /// <param name="pool">The threads.</param>
    /// <param name="largest">The largest layer in every respect.</param>
    public Attention(ComputePool pool, AttentionSize largest)
    {
        _pool = pool;
        int width = RunningSoftmax<T>.Width(largest.ValueDim);
        _scratch = [.. Enumerable.Range(0, pool.Threads).Select(_ => new AttentionScratch(largest, width))];
        // Room for one row and 262,144 positions, or a whole run and 4,096.
        _gathered = new FloatRows(largest.Heads * CpuKernels.RowsPerRun * 8, width);
        _mostToShareOut = _gathered.Rows;
    }

    public void Run(AttentionInput input, StretchPart part)
    {
        int items = input.Runs.Count * input.KvHeads, first = int.MaxValue, last = 0;
        foreach (RowRun run in input.Runs)
        {
            (int firstSeen, int lastSeen) = input.Stretches(run);
            (first, last) = (Math.Min(first, firstSeen), Math.Max(last, lastSeen));
        }
        (first, last) = part.Of((first, last));
        var whole = new PartRows<T>(input, part, part.IsAll ? null : PartMemory(PartRows<T>.Count(input)));
        if (IsSharedOut(input, part, last - first + 1))
        {
            _plan.List(input, first, last);
            var stretches = new SharedStretches<T>(input, first, last - first + 1, _gathered);
            for (int level = 0; level < _plan.Levels; level++)
            {
                var attend = new AttendToStretch<T>(stretches, _plan.Work(level), _scratch);
                _pool.Run(ref attend, _plan.Work(level).Count * input.KvHeads);
            }
            var merge = new MergeStretches<T>(stretches, whole);
            _pool.Run(ref merge, input.Rows);
        }
        else
        {
            var attend = new AttendToAll<T>(input, whole, _scratch);
            _pool.Run(ref attend, items);
        }
    }

    /// <summary>Whether each stretch is computed on its own, and there is memory for what is gathered of all of them.</summary>
    bool IsSharedOut(AttentionInput input, StretchPart part, int stretches)
    {
        long rows = (long)input.KvHeads * input.Group * input.Rows * stretches;
        bool isFew = _pool.Threads > 1 && input.Runs.Count * input.KvHeads < EnoughItems * _pool.Threads && stretches > 1;
        bool shares = _plan.FindShared(input, part.IsAll && rows * _gathered.Width <= MostGathered);
        if (shares && rows > _gathered.Rows)
        {
            _gathered.Dispose();
            _gathered = new FloatRows((int)rows, _gathered.Width);
        }
        return shares || isFew && rows <= _mostToShareOut;
    }

    FloatRows PartMemory(int rows)
    {
        if (_parts is { } parts && parts.Rows >= rows)
            return parts;
        _parts?.Dispose();
        return _parts = new FloatRows(rows, _gathered.Width);
    }

    /// <summary>
    /// Observes the attention that was computed, to positions rounded outwards to tiles; see <see cref="ObserveAttention{T}"/>.
    /// </summary>
    public void Observe(AttentionInput input, Observation observation, FloatRows seen, int firstSeen, Range positions)
    {
        (int from, int count) = positions.GetOffsetAndLength(seen.Width);
        int firstTile = from / AttentionInput.Tile, endTile = (from + count + AttentionInput.Tile - 1) / AttentionInput.Tile;
        var observe = new ObserveAttention<T>(input, observation, seen, firstSeen, firstTile, _scratch);
        _pool.Run(ref observe, input.KvHeads * (endTile - firstTile));
    }

    public void Dispose()
    {
        _gathered.Dispose();
        _parts?.Dispose();
        foreach (AttentionScratch scratch in _scratch)
            scratch.Dispose();
    }
}

/// <summary>How large attention's memory has to be.</summary>
/// <param name="Heads">The most query heads of a layer.</param>
/// <param name="Group">The most query heads to a KV head.</param>
/// <param name="KeyDim">The most elements of a key.</param>
/// <param name="ValueDim">The most elements of a value.</param>
readonly record struct AttentionSize(int Heads, int Group, int KeyDim, int ValueDim);

/// <summary>One run and KV head, all stretches of a part.</summary>
unsafe struct AttendToAll<T>(AttentionInput input, PartRows<T> rows, AttentionScratch[] scratch) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int item, int thread)
    {
        (RowRun run, int kvHead) = (input.Runs[item / input.KvHeads], item % input.KvHeads);
        var attention = new RunAttention<T>(input, run, kvHead, scratch[thread]);
        int dim = input.ValueDim, width = RunningSoftmax<T>.Width(dim), group = input.Group;
        float* whole = rows.Row(kvHead, run.FirstRow, scratch[thread].Whole[0]), gathered = scratch[thread].Stretch[0];
        for (int row = 0; row < attention.Rows && rows.Part.Begins; row++)
            RunningSoftmax<T>.Start(whole + row * width, dim);
        (int first, int last) = rows.Part.Of(input.Stretches(run));
        for (int stretch = first; stretch <= last; stretch++)
        {
            if (stretch == first || stretch == 0)
                attention.LoadQueries(stretch);
            attention.Attend(stretch, gathered, TilePart.All);
            for (int row = 0; row < attention.Rows; row++)
                RunningSoftmax<T>.Merge(whole + row * width, gathered + row * width, dim);
        }
        for (int row = 0; row < attention.Rows && rows.Part.Ends; row++)
            input.Finish<T>(whole + row * width, run.FirstRow + row / group, kvHead * group + row % group);
    }
}
