using System.Runtime.InteropServices;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Tests.KvCache;

public class F16CodecTests
{
    /// <summary>
    /// Every half, what lies just beside it, and the middle between it and the next: as many lanes at once as there are, and alone.
    /// </summary>
    [Fact]
    public void Rounding_is_that_of_the_framework()
    {
        for (int bits = 0; bits < 65536; bits++)
        {
            float exact = (float)BitConverter.UInt16BitsToHalf((ushort)bits),
                next = (float)BitConverter.UInt16BitsToHalf((ushort)(bits + 1));
            float middle = (exact + next) / 2;
            float[] row = [exact, MathF.BitIncrement(exact), MathF.BitDecrement(exact), middle, MathF.BitIncrement(middle),
                MathF.BitDecrement(middle), exact * 3, -exact];
            AssertEncoded([.. row, .. row]);
        }
    }

    [Theory]
    [InlineData(1e9f)]
    [InlineData(65520f)]
    [InlineData(65519.996f)]
    [InlineData(1e-9f)]
    [InlineData(2.9802322e-8f)] // half of the smallest half: ties to zero
    [InlineData(float.Epsilon)]
    [InlineData(float.PositiveInfinity)]
    [InlineData(-float.MaxValue)]
    [InlineData(float.NaN)]
    public void Extremes_too(float value) => AssertEncoded([.. Enumerable.Repeat(value, 16), value]);

    static void AssertEncoded(float[] row)
    {
        byte[] encoded = new byte[F16Codec.Instance.RowBytes(row.Length)];
        F16Codec.Instance.Encode(row, encoded);
        ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(encoded);
        for (int i = 0; i < row.Length; i++)
            if (float.IsNaN(row[i]))
                Assert.True(Half.IsNaN(halves[i]));
            else if (BitConverter.HalfToUInt16Bits((Half)row[i]) != BitConverter.HalfToUInt16Bits(halves[i]))
                Assert.Fail($"{row[i]:r} became {halves[i]}, expected {(Half)row[i]}");
    }
}
