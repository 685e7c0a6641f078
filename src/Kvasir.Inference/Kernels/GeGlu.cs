using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Gated activation <c>gelu(gate) · up</c>, into <c>gate</c>, with <c>gelu(x) ≈ x · σ(2 √(2/π) (x + 0.044715 x³))</c>: Hendrycks and
/// Gimpel, 2016, https://arxiv.org/abs/1606.08415, there written with tanh; Shazeer, 2020, https://arxiv.org/abs/2002.05202.
/// </summary>
unsafe struct GeGlu<T>(FloatRows gate, FloatRows up) : IComputeJob where T : struct, ILanes<T>
{
    const float Linear = 1.5957691216057308f, Cubic = Linear * 0.044715f; // 2 √(2/π)

    public readonly void Run(int row, int thread)
    {
        T zero = T.Broadcast(0), one = T.Broadcast(1), linear = T.Broadcast(Linear), cubic = T.Broadcast(Cubic);
        for (int i = 0; i < gate.Stride; i += ILanes<T>.Count)
        {
            T g = T.Load(gate[row] + i), inner = g * T.MultiplyAdd(g * g, cubic, linear);
            T.Store(g / (one + Exp<T>.Of(zero - inner)) * T.Load(up[row] + i), gate[row] + i);
        }
    }
}
