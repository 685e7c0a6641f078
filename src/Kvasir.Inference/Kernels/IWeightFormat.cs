using System.Runtime.CompilerServices;
using Kvasir.Inference.Formats.Quantization;

namespace Kvasir.Inference.Kernels;

/// <summary>A row format that widens in registers, 32 weights at a time, to the very floats that its definition gives.</summary>
unsafe interface IWeightFormat<T> where T : struct, ILanes<T>
{
    /// <summary>Bytes of 32 weights.</summary>
    static abstract int Bytes { get; }

    /// <summary>Two times sixteen weights.</summary>
    static abstract void Load(byte* weights, out T first, out T second);
}

readonly unsafe struct F32Weights<T> : IWeightFormat<T> where T : struct, ILanes<T>
{
    public static int Bytes => 128;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* weights, out T first, out T second) =>
        (first, second) = (T.Load((float*)weights), T.Load((float*)weights + ILanes<T>.Count));
}

readonly unsafe struct F16Weights<T> : IWeightFormat<T> where T : struct, ILanes<T>
{
    public static int Bytes => 64;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* weights, out T first, out T second) =>
        (first, second) = (T.LoadHalf((ushort*)weights), T.LoadHalf((ushort*)weights + ILanes<T>.Count));
}

/// <summary>A scale and 32 signed bytes.</summary>
readonly unsafe struct Q8Weights<T> : IWeightFormat<T> where T : struct, ILanes<T>
{
    const int Quants = 2;

    public static int Bytes => 34;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* weights, out T first, out T second)
    {
        T scale = T.Broadcast(F16.Widen(*(ushort*)weights));
        sbyte* quants = (sbyte*)weights + Quants;
        (first, second) = (scale * T.LoadBytes(quants), scale * T.LoadBytes(quants + ILanes<T>.Count));
    }
}

/// <summary>A scale and 16 bytes: the low four bits are the first sixteen weights, the high four the others, each less eight.</summary>
readonly unsafe struct Q4Weights<T> : IWeightFormat<T> where T : struct, ILanes<T>
{
    const int Quants = 2;

    public static int Bytes => 18;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Load(byte* weights, out T first, out T second)
    {
        T scale = T.Broadcast(F16.Widen(*(ushort*)weights)), eight = T.Broadcast(8);
        byte* quants = weights + Quants;
        (first, second) = (scale * (T.LoadLowNibbles(quants) - eight), scale * (T.LoadHighNibbles(quants) - eight));
    }
}
