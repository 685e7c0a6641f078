using CsCheck;
using Kvasir.KvCache.Codecs;
using static Kvasir.Tests.Fixtures.StoredAs;

namespace Kvasir.Tests.KvCache;

public class BF16CodecTests
{
    /// <summary>Any bits, and those at the middle between two halves or beside it.</summary>
    static readonly Gen<float> s_values = Gen.OneOf(
        Gen.UInt, Gen.Select(Gen.UShort, Gen.Int[-1, 1], (upper, beside) => (uint)(((upper << 16) | 0x8000) + beside)))
        .Select(BitConverter.UInt32BitsToSingle);

    [Fact]
    public void Values_are_rounded_to_the_nearest_with_eight_bits_and_to_even_between_two() => s_values.Array[1, 40].Sample(row =>
    {
        byte[] stored = new byte[Codec("bf16").RowBytes(row.Length)];
        float[] read = new float[row.Length];
        Codec("bf16").Encode(row, stored);
        Codec("bf16").Decode(stored, read);
        for (int i = 0; i < row.Length; i++)
            Assert.Equal(Rounded(row[i]), read[i]);
    }, iter: 5000);

    static float Rounded(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value), below = bits & 0xFFFF_0000, above = below + 0x1_0000, rest = bits & 0xFFFF;
        if (float.IsNaN(value))
            return float.NaN;
        bool up = rest > 0x8000 || rest == 0x8000 && (below >> 16 & 1) != 0;
        return BitConverter.UInt32BitsToSingle(up ? above : below);
    }
}
