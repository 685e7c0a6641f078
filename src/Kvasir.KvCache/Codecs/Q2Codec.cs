namespace Kvasir.KvCache.Codecs;

/// <summary>
/// Stores 32 values in two bits each with one scale, 2.5 bits each: <c>x = ±d·c[m]</c> with <c>c = 0.4528, 1.5104</c>.
/// <code>
/// byte  0..1    d, half precision
/// byte  2..9    byte j: x[j] in the lowest two bits, x[j + 8], x[j + 16] and x[j + 24] above: m, and 2 more where x is negative
/// </code>
/// Of normally distributed values comes back all but 32.8 % (root mean square); a value that is far above the others costs them nearly
/// everything, which a rotation prevents.
/// </summary>
public sealed class Q2Codec : CentroidCodec
{
    /// <summary>The codec.</summary>
    public static Q2Codec Instance { get; } = new();

    const int GroupBytes = ScaledGroup.ScaleBytes + TwoBits.Bytes;

    Q2Codec() : base("q2", GroupBytes, 0.4528f, 1.5104f) { }

    private protected override void Pack(ReadOnlySpan<byte> codes, Span<byte> packed) => TwoBits.Pack(codes, packed);

    private protected override ulong Unpack(ReadOnlySpan<byte> packed, int part) => TwoBits.Unpack(packed, part);
}
