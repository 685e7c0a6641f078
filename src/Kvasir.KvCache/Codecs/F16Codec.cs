using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Kvasir.KvCache.Codecs;

/// <summary>Stores values as IEEE 754 half precision, rounded to nearest even: 2 bytes each.</summary>
public sealed class F16Codec : IKvCodec
{
    /// <summary>The codec.</summary>
    public static F16Codec Instance { get; } = new();

    const int Sixteen = 16;

    F16Codec() { }

    /// <inheritdoc/>
    public string Name => "f16";

    /// <inheritdoc/>
    public int RowBytes(int elements) => checked(elements * 2);

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<float> row, Span<byte> destination)
    {
        Span<Half> halves = MemoryMarshal.Cast<byte, Half>(destination)[..row.Length];
        int i = 0;
        for (; i + Sixteen <= row.Length; i += Sixteen)
            Vector256.Narrow(Narrow(Vector256.Create(row[i..])), Narrow(Vector256.Create(row[(i + Sixteen / 2)..])))
                .CopyTo(MemoryMarshal.Cast<Half, ushort>(halves[i..]));
        for (; i < row.Length; i++)
            halves[i] = (Half)row[i];
    }

    /// <summary>Eight halves, in the lower 16 bits of their lanes: to nearest, ties to even.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<uint> Narrow(Vector256<float> singles)
    {
        const uint sign = 0x8000_0000, half = 0x3F00_0000, smallestNormal = 0x3880_0000, tooLarge = 0x4780_0000, infinity = 0x7F80_0000;
        const uint rebiased = 0xC800_0FFF; // exponents' biases differ by 112; plus what rounds, but for the last bit
        const int mantissaShift = 13;
        Vector256<uint> bits = singles.AsUInt32(), magnitude = bits & Vector256.Create(~sign);
        Vector256<uint> normal =
            (magnitude + Vector256.Create(rebiased) + ((magnitude >>> mantissaShift) & Vector256.Create(1u))) >>> mantissaShift;
        // Beside one half, the last place of a single is a subnormal half's: the addition rounds.
        Vector256<uint> subnormal = (magnitude.AsSingle() + Vector256.Create(0.5f)).AsUInt32() - Vector256.Create(half);
        Vector256<uint> result = Vector256.ConditionalSelect(Vector256.LessThan(magnitude, Vector256.Create(smallestNormal)),
            subnormal, normal);
        Vector256<uint> special = Vector256.ConditionalSelect(Vector256.GreaterThan(magnitude, Vector256.Create(infinity)),
            Vector256.Create(0x7E00u), Vector256.Create(0x7C00u));
        result = Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(magnitude, Vector256.Create(tooLarge)), special, result);
        return result | ((bits & Vector256.Create(sign)) >>> 16);
    }

    /// <inheritdoc/>
    public void Decode(ReadOnlySpan<byte> source, Span<float> row)
    {
        ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(source)[..row.Length];
        for (int i = 0; i < row.Length; i++)
            row[i] = (float)halves[i];
    }
}
