using Kvasir.Serving;

namespace Kvasir.Tests.Serving;

public class FiguresTests
{
    [Fact]
    public void Failed_answers_count_as_errors_and_nowhere_else()
    {
        Answer whole = new() { Text = "ab", FirstTokenMs = 5, GapsMs = [1], Usage = new TokenUsage(100, 2, 25) };
        Answer failed = new() { Text = "a", FirstTokenMs = 900, Usage = new TokenUsage(100, 1, 0), Error = "gone" };
        Dictionary<string, double?> figures = ChatFigures.Of([whole, failed, whole with { Turn = 1, FirstTokenMs = 7 }],
            seconds: 2, maxTokens: 3)
            .ToDictionary(figure => figure.Key, figure => figure.Value);
        Assert.Equal(2, figures["output_tokens_per_s"]);
        Assert.Equal(7, figures["ttft_ms_p99"]);
        Assert.Equal(5, figures["first_turn_ttft_ms_p50"]);
        Assert.Equal(25, figures["prompt_tokens_cached_percent"]);
        Assert.Equal(2, figures["short_answers"]);
        Assert.Equal(1, figures["errors"]);
        Assert.Null(ChatFigures.Of([whole with { Usage = new TokenUsage(100, 2, null) }], 1, 3)
            .Single(figure => figure.Key == "prompt_tokens_cached_percent").Value);
    }

    [Fact]
    public void The_table_has_medians_and_ratios_to_the_first_server()
    {
        LoadOptions options = new() { Servers = ServerSpec.ParseAll(["one=http://a", "two=http://b"]) };
        RoundResult[] results = [Round("one", 0, 10), Round("two", 0, 30), Round("two", 1, 10), Round("one", 1, 20),
            Round("one", 2, 60), Round("two", 2, 60)];
        string table = Report.Table(Header.Of(options), options, results);
        Assert.Contains("| speed | 20.0 | 30.0 | 1.50 × (0.50 – 3.00) |", table, StringComparison.Ordinal);
        Assert.Contains("two, round 1: 2 × lost", table, StringComparison.Ordinal);
    }

    static RoundResult Round(string server, int round, double value) =>
        new(server, round, [new Figure("speed", "speed", value, 1)],
            (server, round) == ("two", 0) ? new Dictionary<string, int> { ["lost"] = 2 } : []);
}
