using CsCheck;
using Kvasir.Formats;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Tests.Scheduling;

/// <summary>Turns of sequences longer than the pool beside others, on a clock that only passes move.</summary>
public class FairTurnsTests
{
    static readonly TimeSpan s_step = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// A long sequence computes whenever it may, beside others that always do; seconds of each pass, and whether it was a long one.
    /// </summary>
    static List<(double Seconds, bool IsLong)> Passes(double others, Func<int, double> reading, bool isForeseen, int count = 2000)
    {
        FairTurns turns = new(s_step);
        List<(double, bool)> passes = [];
        for (int longOnes = 0; passes.Count < count;)
        {
            double next = reading(longOnes);
            bool isLong = turns.MayStream(isForeseen ? TimeSpan.FromSeconds(next) : TimeSpan.Zero);
            double seconds = isLong ? Math.Max(next, others) : others;
            longOnes += isLong ? 1 : 0;
            turns.Took(TimeSpan.FromSeconds(seconds), isLong);
            passes.Add((seconds, isLong));
        }
        return passes;
    }

    /// <summary>
    /// Those who get a token in every pass wait in 95 of 100 cases no longer than without the long one, twice over, and one of its passes.
    /// </summary>
    [Fact]
    public void A_long_sequence_has_at_most_half_of_the_time_and_short_ones_keep_their_pace() =>
        Gen.Select(Gen.Double[0.005, 0.3], Gen.Double[0.01, 5], Gen.Bool).Sample((others, reading, isForeseen) =>
        {
            List<(double Seconds, bool IsLong)> passes = Passes(others, _ => reading, isForeseen);
            double all = passes.Sum(pass => pass.Seconds), those = passes.Where(pass => pass.IsLong).Sum(pass => pass.Seconds);
            double longest = passes.Max(pass => pass.Seconds);
            if (reading > s_step.TotalSeconds && others < reading)
                Assert.InRange(those, 0.3 * all - longest, 0.5 * all + longest);
            double[] gaps = [.. passes.Select(pass => pass.Seconds).Order()];
            Assert.InRange(Percentile.OfSorted(gaps, 0.95), 0, 2.2 * others + longest);
            if (longest > 25 * others && longest > s_step.TotalSeconds)
                Assert.Equal(others, Percentile.OfSorted(gaps, 0.95));
        }, iter: 200);

    [Fact]
    public void A_pass_that_is_foreseen_to_be_long_waits_until_the_others_had_as_much()
    {
        List<(double Seconds, bool IsLong)> passes = Passes(0.1, _ => 1, isForeseen: true, count: 12);
        Assert.Equal(10, passes.TakeWhile(pass => !pass.IsLong).Count());
        Assert.Empty(Passes(0.1, _ => 1, isForeseen: false, count: 12).TakeWhile(pass => !pass.IsLong));
    }

    [Fact]
    public void Passes_that_take_no_longer_than_a_step_are_nobodys_debt() =>
        Assert.All(Passes(0.05, _ => 0.1, isForeseen: true, count: 50), pass => Assert.True(pass.IsLong));

    [Fact]
    public void One_that_grows_longer_waits_for_what_is_coming_and_one_that_shrinks_for_what_was()
    {
        FairTurns turns = new(s_step);
        turns.Took(TimeSpan.FromSeconds(1), streams: true);
        turns.Took(TimeSpan.FromSeconds(1), streams: false);
        Assert.False(turns.MayStream(TimeSpan.FromSeconds(2)));
        Assert.True(turns.MayStream(TimeSpan.FromSeconds(0.5)));
        turns.Took(TimeSpan.FromSeconds(1), streams: false);
        Assert.True(turns.MayStream(TimeSpan.FromSeconds(2)));
    }
}
