using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>Residual connection: <c>x += scale · y</c>.</summary>
unsafe struct Add<T>(FloatRows x, FloatRows y, float scale) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int row, int thread)
    {
        for (int i = 0; i < x.Stride; i += ILanes<T>.Count)
            T.Store(T.Load(x[row] + i) + T.Load(y[row] + i) * T.Broadcast(scale), x[row] + i);
    }
}
