using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Root mean square normalisation: <c>y = x / sqrt(mean(x²) + ε) · w</c>. Zhang and Sennrich, 2019, https://arxiv.org/abs/1910.07467.
/// A row may hold several vectors of the weight's width side by side, each normalised on its own (QK-norm: one per head).
/// </summary>
unsafe struct RmsNorm<T>(FloatRows x, FloatRows weight, float epsilon, FloatRows y) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int row, int thread)
    {
        for (int offset = 0; offset < x.Width; offset += weight.Width)
            Normalise(x[row] + offset, weight[0], y[row] + offset, weight.Width, epsilon);
    }

    static void Normalise(float* x, float* weight, float* y, int width, float epsilon)
    {
        float* padded = stackalloc float[ILanes<T>.Count];
        int whole = width & ~(ILanes<T>.Count - 1);
        T squares = default;
        for (int i = 0; i < whole; i += ILanes<T>.Count)
            squares = T.MultiplyAdd(T.Load(x + i), T.Load(x + i), squares);
        if (whole < width) // the lanes beyond belong to the next head: use a copy with zeros there
        {
            new Span<float>(padded, ILanes<T>.Count).Clear();
            new Span<float>(x + whole, width - whole).CopyTo(new Span<float>(padded, ILanes<T>.Count));
            squares = T.MultiplyAdd(T.Load(padded), T.Load(padded), squares);
        }
        float scale = 1f / MathF.Sqrt(T.Sum(squares) / width + epsilon);
        for (int i = 0; i < whole; i += ILanes<T>.Count)
            T.Store(T.Load(x + i) * T.Broadcast(scale) * T.Load(weight + i), y + i);
        for (int i = whole; i < width; i++)
            y[i] = x[i] * scale * weight[i];
    }
}
