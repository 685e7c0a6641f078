using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>Residual connection: <c>x += y</c>.</summary>
unsafe struct Add<T>(FloatRows x, FloatRows y) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int row, int thread)
    {
        for (int i = 0; i < x.Stride; i += ILanes<T>.Count)
            T.Store(T.Load(x[row] + i) + T.Load(y[row] + i), x[row] + i);
    }
}
