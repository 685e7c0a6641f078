using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Kvasir.KvCache.Codecs;

/// <summary>
/// Stores 32 values as signed bytes with one scale, 8.5 bits each: <c>x = d·q</c>, with <c>d</c> a 127th of the greatest
/// magnitude. ggml's <c>q8_0</c>.
/// <code>
/// byte  0..1    d, half precision
/// byte  2..33   q[0..31], signed
/// </code>
/// A value comes back within <c>0.57·d</c> while <c>d</c> is a normal half: half a step, and the rounding of <c>d</c>.
/// </summary>
[SuppressMessage("Naming", "CA1707", Justification = "The format's name.")]
public sealed class Q8_0Codec : ScaledGroupCodec
{
    /// <summary>The codec.</summary>
    public static Q8_0Codec Instance { get; } = new();

    const int GroupBytes = ScaledGroup.ScaleBytes + ScaledGroup.Elements;
    const int Most = 127;

    Q8_0Codec() : base("q8_0", GroupBytes) { }

    private protected override void EncodeGroup(ref readonly float values, Span<byte> group)
    {
        float scale = MathF.Abs(ScaledGroup.Extreme(in values)) / Most;
        Span<byte> codes = group[ScaledGroup.ScaleBytes..];
        if (!ScaledGroup.TryWriteScale(scale, group))
        {
            codes.Clear();
            return;
        }
        float inverse = 1 / scale;
        Vector256<short> lower = Vector256.Narrow(Round(ScaledGroup.Scaled(in values, 0, inverse)),
            Round(ScaledGroup.Scaled(in values, 8, inverse)));
        Vector256<short> upper = Vector256.Narrow(Round(ScaledGroup.Scaled(in values, 16, inverse)),
            Round(ScaledGroup.Scaled(in values, 24, inverse)));
        Vector256.Narrow(lower, upper).AsByte().CopyTo(codes);
    }

    private protected override void DecodeGroup(ReadOnlySpan<byte> group, ref float values)
    {
        Vector256<float> scale = ScaledGroup.ReadScale(group);
        Vector256<sbyte> codes = Vector256.Create(group[ScaledGroup.ScaleBytes..]).AsSByte();
        ScaledGroup.Store(codes.GetLower(), scale, ref values);
        ScaledGroup.Store(codes.GetUpper(), scale, ref Unsafe.Add(ref values, ScaledGroup.Elements / 2));
    }

    /// <summary>
    /// To the nearest integer, ties away from zero. The float below one half is added: with one half itself, 0.49999997 would become 1.
    /// </summary>
    static Vector256<int> Round(Vector256<float> values)
    {
        Vector256<float> belowHalf = Vector256.Create(0.49999997f) | (values & Vector256.Create(-0f));
        return Vector256.ConvertToInt32Native(values + belowHalf);
    }
}
