using CsCheck;
using Kvasir.Formats;

namespace Kvasir.Tests.Formats;

public class PercentileTests
{
    [Fact]
    public void A_percentile_was_seen_and_is_the_least_that_so_many_do_not_exceed() =>
        Gen.Select(Gen.Double[0, 9].Array[1, 40], Gen.Int[1, 100]).Sample((values, percent) =>
        {
            double found = Percentile.Of(values, percent / 100.0);
            Assert.Contains(found, values);
            Assert.True(values.Count(value => value <= found) * 100 >= percent * values.Length);
            Assert.True(values.Count(value => value < found) * 100 < percent * values.Length);
        });

    [Fact]
    public void Every_percent_of_every_number_of_values_is_exact()
    {
        for (int count = 1; count <= 400; count++)
            for (int percent = 1; percent <= 100; percent++)
                Assert.Equal((percent * count + 99) / 100,
                    Percentile.Of(Enumerable.Range(1, count).Select(i => (double)i), percent / 100.0));
    }

    [Fact]
    public void Of_25_values_0_28_are_7_though_not_in_binary() =>
        Assert.Equal(7, Percentile.Of(Enumerable.Range(1, 25).Select(i => (double)i), 0.28));

    [Fact]
    public void Of_nothing_there_is_no_percentile()
    {
        Assert.Throws<ArgumentException>(() => Percentile.Of([], 0.5));
        Assert.Throws<ArgumentException>(() => Percentile.OfSorted([], 0.5));
        Assert.Throws<ArgumentException>(() => Percentile.Median([]));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-0.1)]
    [InlineData(1.01)]
    [InlineData(double.NaN)]
    public void What_is_no_share_is_refused(double share) => Assert.Throws<ArgumentOutOfRangeException>(() => Percentile.Of([1], share));

    [Theory]
    [InlineData(2.0, 3.0, 1.0, 2.0)]
    [InlineData(2.5, 4.0, 1.0, 2.0, 3.0)]
    [InlineData(7.0, 7.0)]
    public void The_median_is_the_middle(double expected, params double[] values) => Assert.Equal(expected, Percentile.Median(values));
}
