using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// The hidden layer of each pair, <c>activation(W_gate · x + b) ⊙ (W_up · x + b)</c>: an item is a strip of outputs of one expert that some
/// row has chosen. Of the others nothing is read.
/// </summary>
/// <param name="network">The experts.</param>
/// <param name="plan">The pairs.</param>
/// <param name="memory">Activations of the pairs, and where results go.</param>
/// <param name="sharesTile">Whether all pairs are of one row, whose bytes are those of the first tile.</param>
/// <param name="dot">The kernel for bytes.</param>
/// <param name="scratch">Memory of each thread.</param>
unsafe struct ExpertHidden<T>(
    ExpertNetwork network, ExpertPlan plan, ExpertMemory memory, bool sharesTile, DotKernel dot, MatMulScratch[] scratch) : IComputeJob
    where T : struct, ILanes<T>
{
    const int Strip = FloatPanels.PanelOutputs;

    /// <summary>Strips of an expert.</summary>
    public static int Strips(ExpertNetwork network) => (network.Down.Columns + Strip - 1) / Strip;

    public readonly void Run(int item, int thread)
    {
        int strips = Strips(network), active = item / strips, strip = item % strips, expert = plan.Expert(active);
        int pair = plan.FirstPair(active), rows = plan.Rows(active);
        FloatRows hidden = memory.Hidden, up = memory.Strips[thread];
        float* gate = hidden[pair] + strip * Strip;
        Multiply(network.Gate.Expert(expert), network.GateBias, gate, hidden.Stride, active, strip, scratch[thread]);
        Multiply(network.Up.Expert(expert), network.UpBias, up[0], up.Stride, active, strip, scratch[thread]);
        for (int row = 0; row < rows; row++)
            SwiGlu<T>.Apply(gate + (long)row * hidden.Stride, up[row], Strip, network.Limit);
    }

    readonly void Multiply(PackedMatrix w, FloatRows? bias, float* y, nint yStride, int active, int strip, MatMulScratch own)
    {
        int panels = Strip / w.Format.Outputs, first = strip * panels;
        new RowsProduct
        {
            W = w, Bias = bias is null ? null : bias[plan.Expert(active)], Rows = plan.Rows(active), Y = y, YStride = yStride,
            X = memory.Gathered is { } gathered ? gathered[plan.FirstPair(active)] : null, XStride = memory.Gathered?.Stride ?? 0,
            Quantized = memory.Quantized, Tile = sharesTile ? 0 : plan.FirstTile(active), FirstPanel = first,
        }.Multiply<T>(first, Math.Min(w.Panels, first + panels), dot, own);
    }
}
