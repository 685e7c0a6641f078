using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Gated activation <c>gate · σ(gate) · up</c>, into <c>gate</c>. Shazeer, 2020, https://arxiv.org/abs/2002.05202. With a limit that of
/// gpt-oss, see <see cref="Kvasir.Formats.Models.FeedForwardSpec.Limit"/>.
/// </summary>
unsafe struct SwiGlu<T>(FloatRows gate, FloatRows up) : IComputeJob where T : struct, ILanes<T>
{
    const float Steepness = 1.702f;

    public readonly void Run(int row, int thread) => Apply(gate[row], up[row], gate.Stride, null);

    /// <summary>For whole vectors of numbers.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Apply(float* gate, float* up, int count, float? limit)
    {
        T zero = T.Broadcast(0), one = T.Broadcast(1);
        if (limit is not { } most)
        {
            for (int i = 0; i < count; i += ILanes<T>.Count)
            {
                T g = T.Load(gate + i);
                T.Store(g / (one + Exp<T>.Of(zero - g)) * T.Load(up + i), gate + i);
            }
            return;
        }
        T largest = T.Broadcast(most), smallest = T.Broadcast(-most), steep = T.Broadcast(-Steepness);
        for (int i = 0; i < count; i += ILanes<T>.Count)
        {
            T g = T.Min(largest, T.Load(gate + i)), u = T.Max(smallest, T.Min(largest, T.Load(up + i)));
            T.Store(g / (one + Exp<T>.Of(steep * g)) * (u + one), gate + i);
        }
    }
}
