using CsCheck;
using Kvasir.Serving;

namespace Kvasir.Tests.Serving;

public class FiguresTests
{
    [Fact]
    public void A_percentile_was_seen_and_is_the_least_that_so_many_do_not_exceed() =>
        Gen.Select(Gen.Double[0, 9].Array[1, 40], Gen.Int[1, 100]).Sample((values, percent) =>
        {
            double found = Percentile.Of(values, percent / 100.0)!.Value;
            Assert.Contains(found, values);
            Assert.True(values.Count(value => value <= found) * 100 >= percent * values.Length);
            Assert.True(values.Count(value => value < found) * 100 < percent * values.Length);
        });

    [Fact]
    public void Every_percent_of_every_number_of_values_is_exact()
    {
        for (int count = 1; count <= 400; count++)
            for (int percent = 1; percent <= 100; percent++)
                Assert.Equal((percent * count + 99) / 100, Percentile.Of(Enumerable.Range(1, count).Select(i => (double)i), percent / 100.0));
    }

    [Fact]
    public void Of_nothing_there_is_no_percentile()
    {
        Assert.Null(Percentile.Of([], 0.5));
        Assert.Null(Percentile.Median([]));
    }

    [Theory]
    [InlineData(2.0, 3.0, 1.0, 2.0)]
    [InlineData(2.5, 4.0, 1.0, 2.0, 3.0)]
    public void The_median_is_the_middle(double expected, params double[] values) => Assert.Equal(expected, Percentile.Median(values));

    [Fact]
    public void Failed_answers_count_as_errors_and_nowhere_else()
    {
        Answer whole = new() { Text = "ab", FirstTokenMs = 5, GapsMs = [1], Usage = new TokenUsage(100, 2, 25) };
        Answer failed = new() { Text = "a", FirstTokenMs = 900, Usage = new TokenUsage(100, 1, 0), Error = "gone" };
        Dictionary<string, double?> figures = ChatFigures.Of([whole, failed, whole with { Turn = 1, FirstTokenMs = 7 }], seconds: 2, maxTokens: 3)
            .ToDictionary(figure => figure.Key, figure => figure.Value);
        Assert.Equal(2, figures["output_tokens_per_s"]);
        Assert.Equal(7, figures["ttft_ms_p99"]);
        Assert.Equal(5, figures["first_turn_ttft_ms_p50"]);
        Assert.Equal(25, figures["prompt_tokens_cached_percent"]);
        Assert.Equal(2, figures["short_answers"]);
        Assert.Equal(1, figures["errors"]);
        Assert.Null(ChatFigures.Of([whole with { Usage = new TokenUsage(100, 2, null) }], 1, 3).Single(figure => figure.Key == "prompt_tokens_cached_percent").Value);
    }

    [Fact]
    public void The_table_has_medians_and_ratios_to_the_first_server()
    {
        LoadOptions options = new() { Servers = ServerSpec.ParseAll(["one=http://a", "two=http://b"]) };
        RoundResult[] results = [Round("one", 0, 10), Round("two", 0, 30), Round("two", 1, 10), Round("one", 1, 20), Round("one", 2, 60), Round("two", 2, 60)];
        string table = Report.Table(Header.Of(options), options, results);
        Assert.Contains("| speed | 20.0 | 30.0 | 1.50 × (0.50 – 3.00) |", table, StringComparison.Ordinal);
        Assert.Contains("two, round 1: 2 × lost", table, StringComparison.Ordinal);
    }

    static RoundResult Round(string server, int round, double value) =>
        new(server, round, [new Figure("speed", "speed", value, 1)], (server, round) == ("two", 0) ? new Dictionary<string, int> { ["lost"] = 2 } : []);
}
