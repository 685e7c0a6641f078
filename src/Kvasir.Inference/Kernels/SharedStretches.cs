using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// What was gathered of each stretch, before it is merged: [KV head, stretch, row, query head of the group, running softmax].
/// </summary>
readonly unsafe struct SharedStretches<T>(AttentionInput input, int first, int count, FloatRows memory) where T : struct, ILanes<T>
{
    public readonly AttentionInput Input = input;
    public readonly int First = first, Count = count;

    public float* Row(int kvHead, int stretch, int row) =>
        memory[0] + (((long)kvHead * Count + stretch) * Input.Rows + row) * Input.Group * RunningSoftmax<T>.Width(Input.ValueDim);
}

/// <summary>One part of a stretch of those that are listed, and KV head.</summary>
unsafe struct AttendToStretch<T>(SharedStretches<T> stretches, List<StretchRun> work, AttentionScratch[] scratch) : IComputeJob
    where T : struct, ILanes<T>
{
    public readonly void Run(int item, int thread)
    {
        AttentionInput input = stretches.Input;
        (StretchRun part, int kvHead) = (work[item / input.KvHeads], item % input.KvHeads);
        var attention = new RunAttention<T>(input, part.Run, kvHead, scratch[thread], part.End);
        attention.LoadQueries(part.Stretch);
        attention.Attend(part.Stretch, stretches.Row(kvHead, part.Stretch - stretches.First, part.Run.FirstRow), part.Tiles);
    }
}

/// <summary>One row, all heads: merges its stretches in ascending order.</summary>
unsafe struct MergeStretches<T>(SharedStretches<T> stretches, PartRows<T> rows) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int row, int thread)
    {
        AttentionInput input = stretches.Input;
        int dim = input.ValueDim, width = RunningSoftmax<T>.Width(dim), group = input.Group;
        float* own = stackalloc float[group * width];
        for (int head = 0; head < input.KvHeads * group; head++)
        {
            float* whole = rows.Row(head / group, row, own) + head % group * width;
            if (rows.Part.Begins)
                RunningSoftmax<T>.Start(whole, dim);
            for (int stretch = 0; stretch < stretches.Count; stretch++)
                RunningSoftmax<T>.Merge(whole, stretches.Row(head / group, stretch, row) + head % group * width, dim);
            if (rows.Part.Ends)
                input.Finish<T>(whole, row, head);
        }
    }
}
