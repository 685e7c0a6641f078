using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Kernels;

/// <summary>A weight that widens in registers, sixteen at a time, to the float that its format defines.</summary>
unsafe interface IWeightFormat<T> where T : struct, ILanes<T>
{
    /// <summary>Bytes of a weight.</summary>
    static abstract int Bytes { get; }

    static abstract T Load(byte* weights);
}

readonly unsafe struct SingleWeights<T> : IWeightFormat<T> where T : struct, ILanes<T>
{
    public static int Bytes => sizeof(float);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load(byte* weights) => T.Load((float*)weights);
}

readonly unsafe struct HalfWeights<T> : IWeightFormat<T> where T : struct, ILanes<T>
{
    public static int Bytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load(byte* weights) => T.LoadHalf((ushort*)weights);
}

readonly unsafe struct BrainHalfWeights<T> : IWeightFormat<T> where T : struct, ILanes<T>
{
    public static int Bytes => sizeof(ushort);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static T Load(byte* weights) => T.LoadBrainHalf((ushort*)weights);
}
