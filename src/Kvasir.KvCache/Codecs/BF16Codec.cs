using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Kvasir.KvCache.Codecs;

/// <summary>
/// Stores values as the upper half of a single, rounded to nearest even: 2 bytes each. Less exact than <c>f16</c>, for models whose keys
/// or values exceed its 65,504.
/// </summary>
public sealed class BF16Codec : IKvCodec
{
    /// <summary>The codec.</summary>
    public static BF16Codec Instance { get; } = new();

    const int Sixteen = 16;

    BF16Codec() { }

    /// <inheritdoc/>
    public string Name => "bf16";

    /// <inheritdoc/>
    public int RowBytes(int elements) => checked(elements * sizeof(ushort));

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<float> row, Span<byte> destination)
    {
        Span<ushort> halves = MemoryMarshal.Cast<byte, ushort>(destination)[..row.Length];
        int i = 0;
        for (; i + Sixteen <= row.Length; i += Sixteen)
            Vector256.Narrow(Narrow(Vector256.Create(row[i..])), Narrow(Vector256.Create(row[(i + Sixteen / 2)..]))).CopyTo(halves[i..]);
        for (; i < row.Length; i++)
            halves[i] = (ushort)Narrow(Vector256.Create(row[i])).ToScalar();
    }

    /// <inheritdoc/>
    public void Decode(ReadOnlySpan<byte> source, Span<float> row)
    {
        ReadOnlySpan<ushort> halves = MemoryMarshal.Cast<byte, ushort>(source)[..row.Length];
        for (int i = 0; i < row.Length; i++)
            row[i] = BitConverter.UInt32BitsToSingle((uint)halves[i] << 16);
    }

    /// <summary>Eight halves, in the lower 16 bits of their lanes: to nearest, ties to even; what is not a number stays none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<uint> Narrow(Vector256<float> singles)
    {
        const uint infinity = 0x7F80_0000, quiet = 0x0040_0000, belowHalf = 0x7FFF;
        Vector256<uint> bits = singles.AsUInt32(), lastBit = (bits >>> 16) & Vector256.Create(1u);
        Vector256<uint> isNumber = Vector256.LessThanOrEqual((bits & Vector256.Create(~0u >> 1)).AsInt32(),
            Vector256.Create((int)infinity)).AsUInt32();
        return Vector256.ConditionalSelect(isNumber, bits + Vector256.Create(belowHalf) + lastBit, bits | Vector256.Create(quiet)) >>> 16;
    }
}
