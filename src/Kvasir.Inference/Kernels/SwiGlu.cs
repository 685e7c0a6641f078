using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>Gated activation <c>gate · σ(gate) · up</c>, into <c>gate</c>. Shazeer, 2020, https://arxiv.org/abs/2002.05202.</summary>
unsafe struct SwiGlu<T>(FloatRows gate, FloatRows up) : IComputeJob where T : struct, ILanes<T>
{
    public readonly void Run(int row, int thread)
    {
        T one = T.Broadcast(1f);
        for (int i = 0; i < gate.Stride; i += ILanes<T>.Count)
        {
            T g = T.Load(gate[row] + i);
            T.Store(g / (one + Exp<T>.Of(T.Broadcast(0f) - g)) * T.Load(up[row] + i), gate[row] + i);
        }
    }
}
