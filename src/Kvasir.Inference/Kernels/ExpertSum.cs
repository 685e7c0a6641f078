using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// What a mixture says of each row: the sum of <c>weight · (W_down · hidden + b)</c> over the experts that it has chosen, in ascending
/// order of their numbers, so that nobody else's choice changes a bit. An item is a strip of outputs, of all experts.
/// </summary>
/// <param name="network">The experts.</param>
/// <param name="plan">The pairs.</param>
/// <param name="memory">Hidden layers of the pairs.</param>
/// <param name="y">Result, [rows, d].</param>
/// <param name="rows">Rows of the batch.</param>
/// <param name="panels">Panels of a strip.</param>
/// <param name="dot">The kernel for bytes.</param>
/// <param name="scratch">Memory of each thread.</param>
unsafe struct ExpertSum<T>(
    ExpertNetwork network, ExpertPlan plan, ExpertMemory memory, FloatRows y, int rows, int panels, DotKernel dot, MatMulScratch[] scratch)
    : IComputeJob where T : struct, ILanes<T>
{
    const int Lane = ILanes<T>.Count, Widest = FloatPanels.PanelOutputs;

    /// <summary>Panels of a strip: long stretches of memory, yet enough strips that no thread waits long for the last.</summary>
    public static int PanelsOfStrip(PackedMatrix w, int threads)
    {
        const int StripsPerThread = 8;
        int most = Widest / w.Format.Outputs;
        return w.Expert(0).Panels / most >= threads * StripsPerThread ? most : 1;
    }

    public readonly void Run(int strip, int thread)
    {
        int first = strip * panels, end = Math.Min(network.Down.Expert(0).Panels, first + panels);
        int column = first * network.Down.Format.Outputs, width = (end - first) * network.Down.Format.Outputs;
        FloatRows one = memory.Strips[thread];
        for (int row = 0; row < rows; row++)
            new Span<float>(y[row] + column, width).Clear();
        for (int active = 0; active < plan.Active; active++)
        {
            int expert = plan.Expert(active), pair = plan.FirstPair(active);
            new RowsProduct
            {
                W = network.Down.Expert(expert), Bias = network.DownBias is null ? null : network.DownBias[expert],
                X = memory.Hidden[pair], XStride = memory.Hidden.Stride, Quantized = memory.Quantized, Tile = plan.FirstTile(active),
                Rows = plan.Rows(active), Y = one[0], YStride = one.Stride, FirstPanel = first,
            }.Multiply<T>(first, end, dot, scratch[thread]);
            for (int row = 0; row < plan.Rows(active); row++)
                Add(one[row], plan.Weight(pair + row), y[plan.Row(pair + row)] + column, width);
        }
    }

    static void Add(float* x, float weight, float* sum, int count)
    {
        T times = T.Broadcast(weight);
        for (int i = 0; i < count; i += Lane)
            T.Store(T.MultiplyAdd(times, T.Load(x + i), T.Load(sum + i)), sum + i);
    }
}
