using CsCheck;
using Kvasir.KvCache.Retention;

namespace Kvasir.Tests.Retention;

public class LargestRemainderTests
{
    [Theory]
    [InlineData(10, new double[] { 5, 3, 1 }, new long[] { 6, 3, 1 })]
    [InlineData(100, new double[] { 1, 1, 1 }, new long[] { 34, 33, 33 })]
    [InlineData(7, new double[] { 3, 2, 1 }, new long[] { 4, 2, 1 })]
    [InlineData(4, new double[] { 1.2, 2.8 }, new long[] { 1, 3 })]
    [InlineData(5, new double[] { 0, 0 }, new long[] { 3, 2 })]
    [InlineData(0, new double[] { 1, 2 }, new long[] { 0, 0 })]
    public void A_total_is_divided(long total, double[] weights, long[] parts)
    {
        Assert.Equal(parts, LargestRemainder.Split(total, weights));
        Assert.Equal(parts, LargestRemainder.Split(total, weights, new long[weights.Length], [.. weights.Select(_ => total)]));
    }

    [Fact]
    public void Limits_hold_and_nothing_is_lost() =>
        Gen.Select(Gen.Double[0, 10], Gen.Long[0, 20], Gen.Long[0, 50]).Array[1, 12].SelectMany(parts =>
            Gen.Long[parts.Sum(part => part.Item2), parts.Sum(part => part.Item2 + part.Item3)]
                .Select(total => (parts, total))).Sample((parts, total) =>
        {
            long[] split = LargestRemainder.Split(total, [.. parts.Select(part => part.Item1)], [.. parts.Select(part => part.Item2)],
                [.. parts.Select(part => part.Item2 + part.Item3)]);
            Assert.Equal(total, split.Sum());
            for (int i = 0; i < parts.Length; i++)
                Assert.InRange(split[i], parts[i].Item2, parts[i].Item2 + parts[i].Item3);
        }, iter: 2000);
}
