using Kvasir.Inference.Kernels.Panels;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Some consecutive stretches of an attention, which is computed part by part where not all blocks are there at the same time. Parts follow
/// in ascending order, so it is the same arithmetic.
/// </summary>
/// <param name="First">The first stretch.</param>
/// <param name="Last">The last one.</param>
/// <param name="Begins">Whether nothing was gathered before.</param>
/// <param name="Ends">Whether nothing follows.</param>
readonly record struct StretchPart(int First, int Last, bool Begins, bool Ends)
{
    public static readonly StretchPart All = new(int.MinValue, int.MaxValue, true, true);

    public bool IsAll => Begins && Ends;

    /// <summary>Groups of pages that a run's last row sees whole in the part and those before it.</summary>
    public int WholeGroups(AttentionInput input, RowRun run) => PageBounds.GroupsOf(
        Math.Min(input.Position(run.FirstRow + run.Rows - 1), (int)Math.Min((Last + 1L) * AttentionInput.Stretch, int.MaxValue)));

    /// <summary>Those of the part, of some stretches.</summary>
    public (int First, int Last) Of((int First, int Last) stretches) => (Math.Max(First, stretches.First), Math.Min(Last, stretches.Last));
}

/// <summary>What rows have gathered so far, part by part: [KV head, row, query head of the group, running softmax].</summary>
readonly unsafe struct PartRows<T>(AttentionInput input, StretchPart part, FloatRows? memory) where T : struct, ILanes<T>
{
    public readonly StretchPart Part = part;

    public static int Count(AttentionInput input) => input.KvHeads * input.Rows * input.Group;

    /// <summary>The rows of a row's query heads; those in a thread's own memory where there is one part only.</summary>
    public float* Row(int kvHead, int row, float* own) => Part.IsAll
        ? own : memory![0] + ((long)kvHead * input.Rows + row) * input.Group * RunningSoftmax<T>.Width(input.ValueDim);
}
