using System.Buffers.Binary;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Kvasir.KvCache.Codecs;

/// <summary>
/// Stores 32 values in five bits each with one scale, 5.5 bits each: <c>x = d·(q − 16)</c>, with <c>d</c> such that the value of greatest
/// magnitude is −16·d. ggml's <c>q5_0</c>.
/// <code>
/// byte  0..1    d, half precision; negative if that value is positive, because −16 is in range and +16 is not
/// byte  2..5    bit j: the fifth bit of q[j]
/// byte  6..21   byte j: the other four of q[j] in the low four bits, those of q[j + 16] in the high four
/// </code>
/// A value comes back within <c>0.51·|d|</c> while <c>d</c> is a normal half, and within <c>1.01·|d|</c> where it lies opposite the
/// greatest: +15 is the last code there.
/// </summary>
[SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
public sealed class Q5_0Codec : ScaledGroupCodec
{
    /// <summary>The codec.</summary>
    public static Q5_0Codec Instance { get; } = new();

    const int Half = ScaledGroup.Elements / 2;
    const int HighBits = ScaledGroup.ScaleBytes, LowBits = HighBits + sizeof(uint);
    const int GroupBytes = LowBits + Half;
    const int Middle = 16;

    Q5_0Codec() : base("q5_0", GroupBytes) { }

    private protected override void EncodeGroup(ref readonly float values, Span<byte> group)
    {
        float scale = ScaledGroup.Extreme(in values) / -Middle;
        if (!ScaledGroup.TryWriteScale(scale, group))
        {
            group[HighBits..LowBits].Fill(byte.MaxValue); // all codes are the middle
            group[LowBits..].Clear();
            return;
        }
        float inverse = 1 / scale;
        Vector256<int> a = Codes(in values, 0, inverse), b = Codes(in values, 8, inverse);
        Vector256<int> c = Codes(in values, Half, inverse), d = Codes(in values, Half + 8, inverse);
        BinaryPrimitives.WriteUInt32LittleEndian(group[HighBits..], Fifth(a) | Fifth(b) << 8 | Fifth(c) << 16 | Fifth(d) << 24);
        Vector256<ushort> pairs = Vector256.Narrow(Pairs(a, c), Pairs(b, d));
        Vector128.Narrow(pairs.GetLower(), pairs.GetUpper()).CopyTo(group[LowBits..]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<int> Codes(ref readonly float values, int at, float inverse) => Vector256.Min(
        Vector256.ConvertToInt32Native(ScaledGroup.Scaled(in values, at, inverse) + Vector256.Create(Middle + 0.5f)), Vector256.Create(31));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint Fifth(Vector256<int> codes) => (codes << 27).ExtractMostSignificantBits();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<uint> Pairs(Vector256<int> low, Vector256<int> high)
    {
        Vector256<int> four = Vector256.Create(0x0F);
        return ((low & four) | (high & four) << 4).AsUInt32();
    }

    private protected override void DecodeGroup(ReadOnlySpan<byte> group, ref float values)
    {
        Vector256<float> scale = ScaledGroup.ReadScale(group);
        Vector128<byte> pairs = Vector128.Create(group[LowBits..]);
        uint high = BinaryPrimitives.ReadUInt32LittleEndian(group[HighBits..]);
        ScaledGroup.Store(Join(pairs & Vector128.Create((byte)0x0F), high), scale, ref values);
        ScaledGroup.Store(Join(pairs >>> 4, high >> Half), scale, ref Unsafe.Add(ref values, Half));
    }

    /// <summary>Sixteen values of four bits with the fifth from a word's lower half, less the middle.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<sbyte> Join(Vector128<byte> low, uint high)
    {
        Vector128<byte> bit = Vector128.Create(0x8040_2010_0804_0201).AsByte(), bytes = Vector128.Shuffle(
            Vector128.CreateScalar(high).AsByte(), Vector128.Create((byte)0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1));
        // Where the fifth bit is missing, 16 less.
        return (low - (Vector128.Equals(bytes & bit, Vector128<byte>.Zero) & Vector128.Create((byte)Middle))).AsSByte();
    }
}
