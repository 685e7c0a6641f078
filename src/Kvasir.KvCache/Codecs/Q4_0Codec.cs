using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Kvasir.KvCache.Codecs;

/// <summary>
/// Stores 32 values in four bits each with one scale, 4.5 bits each: <c>x = d·(q − 8)</c>, with <c>d</c> such that the value of greatest
/// magnitude is −8·d. ggml's <c>q4_0</c>.
/// <code>
/// byte  0..1    d, half precision; negative if that value is positive, because −8 is in range and +8 is not
/// byte  2..17   byte j: q[j] in the low four bits, q[j + 16] in the high four
/// </code>
/// A value comes back within <c>0.51·|d|</c> while <c>d</c> is a normal half, and within <c>1.01·|d|</c> where it lies opposite the
/// greatest: +7 is the last code there.
/// </summary>
[SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
public sealed class Q4_0Codec : ScaledGroupCodec
{
    /// <summary>The codec.</summary>
    public static Q4_0Codec Instance { get; } = new();

    const int Half = ScaledGroup.Elements / 2;
    const int GroupBytes = ScaledGroup.ScaleBytes + Half;
    const int Middle = 8;
    const byte TwoMiddles = Middle << 4 | Middle;

    Q4_0Codec() : base("q4_0", GroupBytes) { }

    private protected override void EncodeGroup(ref readonly float values, Span<byte> group)
    {
        float scale = ScaledGroup.Extreme(in values) / -Middle;
        Span<byte> codes = group[ScaledGroup.ScaleBytes..];
        if (!ScaledGroup.TryWriteScale(scale, group))
        {
            codes.Fill(TwoMiddles);
            return;
        }
        float inverse = 1 / scale;
        Vector256<int> first = Pairs(in values, 0, inverse), second = Pairs(in values, Half / 2, inverse);
        Vector256<ushort> pairs = Vector256.Narrow(first.AsUInt32(), second.AsUInt32());
        Vector128.Narrow(pairs.GetLower(), pairs.GetUpper()).CopyTo(codes);
    }

    /// <summary>Eight codes from a place on, and in their high bits those half a group later.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<int> Pairs(ref readonly float values, int at, float inverse) =>
        Code(ScaledGroup.Scaled(in values, at, inverse)) | Code(ScaledGroup.Scaled(in values, at + Half, inverse)) << 4;

    static Vector256<int> Code(Vector256<float> values) =>
        Vector256.Min(Vector256.ConvertToInt32Native(values + Vector256.Create(Middle + 0.5f)), Vector256.Create(15));

    private protected override void DecodeGroup(ReadOnlySpan<byte> group, ref float values)
    {
        Vector256<float> scale = ScaledGroup.ReadScale(group);
        Vector128<byte> pairs = Vector128.Create(group[ScaledGroup.ScaleBytes..]);
        Vector128<sbyte> middle = Vector128.Create((sbyte)Middle);
        ScaledGroup.Store((pairs & Vector128.Create((byte)0x0F)).AsSByte() - middle, scale, ref values);
        ScaledGroup.Store((pairs >>> 4).AsSByte() - middle, scale, ref Unsafe.Add(ref values, Half));
    }
}
