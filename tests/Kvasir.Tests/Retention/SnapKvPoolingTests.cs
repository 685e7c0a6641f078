using Kvasir.KvCache.Retention;

namespace Kvasir.Tests.Retention;

public class SnapKvPoolingTests
{
    [Fact]
    public void Neighbours_of_the_best_are_worth_as_much()
    {
        float[] scores = [0, 0, 9, 0, 0, 1, 0];
        SnapKvPooling.Max(scores, 3);
        Assert.Equal([0, 9, 9, 9, 1, 1, 1], scores);
    }

    [Theory, InlineData(4), InlineData(0), InlineData(-1)]
    public void A_pool_without_a_middle_is_refused(int width) => Assert.Contains($"a pool of {width} positions, expected an odd number",
        Assert.Throws<ArgumentException>(() => SnapKvPooling.Max([1], width)).Message, StringComparison.Ordinal);
}
