namespace Kvasir.KvCache.Codecs;

/// <summary>
/// Stores 32 values in three bits each with one scale, 3.5 bits each: <c>x = ±d·c[m]</c> with <c>c = 0.2451, 0.7560, 1.3439, 2.1519</c>.
/// <code>
/// byte  0..1    d, half precision
/// byte  2..5    bit j: 1 where x[j] is negative
/// byte  6..13   byte j: m[j] in the lowest two bits, m[j + 8], m[j + 16] and m[j + 24] above
/// </code>
/// Of normally distributed values comes back all but 16.7 % (root mean square); a value that is far above the others costs them nearly
/// everything, which a rotation prevents.
/// </summary>
public sealed class Q3Codec : CentroidCodec
{
    /// <summary>The codec.</summary>
    public static Q3Codec Instance { get; } = new();

    const int SignBytes = ScaledGroup.Elements / 8, Negative = 4;
    const int GroupBytes = ScaledGroup.ScaleBytes + SignBytes + TwoBits.Bytes;

    Q3Codec() : base("q3", GroupBytes, 0.2451f, 0.7560f, 1.3439f, 2.1519f) { }

    private protected override void Pack(ReadOnlySpan<byte> codes, Span<byte> packed)
    {
        packed[..SignBytes].Clear();
        for (int i = 0; i < codes.Length; i++)
            packed[i / 8] |= (byte)((codes[i] & Negative) / Negative << i % 8);
        TwoBits.Pack(codes, packed[SignBytes..]);
    }

    private protected override ulong Unpack(ReadOnlySpan<byte> packed, int part) =>
        TwoBits.Unpack(packed[SignBytes..], part) | Spread(packed[part]) * Negative;

    /// <summary>A byte's bits as eight bytes of 0 or 1.</summary>
    static ulong Spread(byte bits)
    {
        const ulong ones = 0x0101_0101_0101_0101;
        return ((bits * ones & 0x8040_2010_0804_0201) + 0x7F * ones) >> 7 & ones; // the one bit in a byte carries to its highest
    }
}
