using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// Sixteen small integers times one scale: half a block of <see cref="Q8_0"/> or <see cref="Q4_0"/>. One multiplication a value, so the
/// three paths give the same bits. The caller guarantees room for sixteen floats.
/// </summary>
static class Scaling
{
    public const int Count = 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale(Vector128<sbyte> values, float scale, ref float destination)
    {
        if (Vector512.IsHardwareAccelerated) Scale512(values, scale, ref destination);
        else if (Vector128.IsHardwareAccelerated) Scale256(values, scale, ref destination);
        else ScaleScalar(values, scale, ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale512(Vector128<sbyte> values, float scale, ref float destination)
    {
        Vector256<short> words = Vector256.WidenLower(values.ToVector256Unsafe());
        Vector512<int> integers = Vector512.WidenLower(words.ToVector512Unsafe());
        (Vector512.ConvertToSingle(integers) * scale).StoreUnsafe(ref destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Scale256(Vector128<sbyte> values, float scale, ref float destination)
    {
        Vector256<short> words = Vector256.WidenLower(values.ToVector256Unsafe());
        (Vector256.ConvertToSingle(Vector256.WidenLower(words)) * scale).StoreUnsafe(ref destination);
        (Vector256.ConvertToSingle(Vector256.WidenUpper(words)) * scale).StoreUnsafe(ref destination, 8);
    }

    public static void ScaleScalar(Vector128<sbyte> values, float scale, ref float destination)
    {
        Span<float> floats = MemoryMarshal.CreateSpan(ref destination, Count);
        for (int i = 0; i < Count; i++)
            floats[i] = values[i] * scale;
    }
}
