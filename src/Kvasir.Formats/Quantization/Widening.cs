using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Kvasir.Formats.Quantization;

/// <summary>A 16-bit format whose values widen to floats one by one; vectors hold them zero-extended to 32 bits.</summary>
interface IWidening
{
    static abstract float Widen(ushort bits);
    static abstract Vector256<float> Widen(Vector256<uint> bits);
    static abstract Vector512<float> Widen(Vector512<uint> bits);
}

/// <summary>
/// Loops over 16-bit rows. The three loops give the same bits; they are apart so that a test can hold them against each other.
/// A Vector256 is two Vector128 where the machine has no wider ones.
/// </summary>
static class Widening
{
    public static void Widen<T>(ReadOnlySpan<byte> row, Span<float> destination) where T : IWidening
    {
        // Weights are read at the file's alignment, at least 8.
        ReadOnlySpan<ushort> source = MemoryMarshal.Cast<byte, ushort>(row)[..destination.Length];
        int done = Vector512.IsHardwareAccelerated ? Widen512<T>(source, destination)
            : Vector128.IsHardwareAccelerated ? Widen256<T>(source, destination) : 0;
        WidenScalar<T>(source[done..], destination[done..]);
    }

    /// <summary>Converts whole vectors and returns how many values that were.</summary>
    public static int Widen512<T>(ReadOnlySpan<ushort> source, Span<float> destination) where T : IWidening
    {
        int i = 0;
        for (; i + Vector512<float>.Count <= source.Length; i += Vector512<float>.Count)
        {
            Vector256<ushort> bits = Vector256.LoadUnsafe(in source[0], (nuint)i);
            T.Widen(Vector512.WidenLower(bits.ToVector512Unsafe())).StoreUnsafe(ref destination[0], (nuint)i);
        }
        return i;
    }

    /// <summary>Converts whole vectors and returns how many values that were.</summary>
    public static int Widen256<T>(ReadOnlySpan<ushort> source, Span<float> destination) where T : IWidening
    {
        int i = 0;
        for (; i + Vector256<float>.Count <= source.Length; i += Vector256<float>.Count)
        {
            Vector128<ushort> bits = Vector128.LoadUnsafe(in source[0], (nuint)i);
            T.Widen(Vector256.WidenLower(bits.ToVector256Unsafe())).StoreUnsafe(ref destination[0], (nuint)i);
        }
        return i;
    }

    public static void WidenScalar<T>(ReadOnlySpan<ushort> source, Span<float> destination) where T : IWidening
    {
        for (int i = 0; i < source.Length; i++)
            destination[i] = T.Widen(source[i]);
    }
}
