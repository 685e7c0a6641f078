using Kvasir.Formats;

namespace Kvasir.Serving;

/// <summary>The numbers of chats.</summary>
static class ChatFigures
{
    /// <param name="all">Every answer, failed ones too.</param>
    /// <param name="seconds">From the first question to the last answer.</param>
    /// <param name="maxTokens">Tokens that each answer should have.</param>
    public static IEnumerable<Figure> Of(IReadOnlyList<Answer> all, double seconds, int maxTokens)
    {
        Answer[] whole = [.. all.Where(answer => answer is { Error: null, Usage: not null })];
        double[] gaps = [.. whole.SelectMany(answer => answer.GapsMs)];
        return
        [
            new("output_tokens_per_s", "throughput, output tok/s",
                whole.Sum(answer => (double)answer.Usage!.Value.Completion) / seconds, 1),
            new("seconds", "all answers, s", seconds, 1),
            new("ttft_ms_p50", "TTFT p50, ms", At(FirstTokens(whole), 0.50)),
            new("ttft_ms_p95", "TTFT p95, ms", At(FirstTokens(whole), 0.95)),
            new("ttft_ms_p99", "TTFT p99, ms", At(FirstTokens(whole), 0.99)),
            new("first_turn_ttft_ms_p50", "TTFT p50 of first turns, ms", At(FirstTokens(whole.Where(answer => answer.Turn == 0)), 0.50)),
            new("later_turns_ttft_ms_p50", "TTFT p50 of later turns, ms", At(FirstTokens(whole.Where(answer => answer.Turn > 0)), 0.50)),
            new("inter_token_ms_p50", "inter-token p50, ms", At(gaps, 0.50), 1),
            new("inter_token_ms_p95", "inter-token p95, ms", At(gaps, 0.95), 1),
            new("tokens_per_event", "output tokens in an event, mean",
                Share(whole.Sum(answer => (double)answer.Usage!.Value.Completion), gaps.Length + whole.Length), 2),
            new("prompt_tokens_mean", "prompt tokens, mean", Share(whole.Sum(answer => (double)answer.Usage!.Value.Prompt), whole.Length)),
            new("prompt_tokens_cached_percent", "prompt tokens cached, %", CachedPercent(whole), 1),
            new("short_answers", $"answers of fewer than {maxTokens} tokens",
                whole.Count(answer => answer.Usage!.Value.Completion < maxTokens)),
            new("answers", "whole answers", whole.Length),
            new("errors", "errors", all.Count(answer => answer.Error is not null)),
        ];
    }

    /// <summary>How often each kind of failure occurred.</summary>
    public static IReadOnlyDictionary<string, int> Problems(IEnumerable<Answer> all) =>
        all.Where(answer => answer.Error is not null).CountBy(answer => answer.Error!).ToDictionary();

    static double[] FirstTokens(IEnumerable<Answer> whole) => [.. whole.Select(answer => answer.FirstTokenMs!.Value)];

    static double? At(double[] values, double share) => values.Length == 0 ? null : Percentile.Of(values, share);

    /// <summary>Null unless the server tells it for every answer.</summary>
    static double? CachedPercent(Answer[] whole) =>
        whole.Any(answer => answer.Usage!.Value.Cached is null) ? null
            : 100 * Share(whole.Sum(answer => (double)answer.Usage!.Value.Cached!.Value),
                whole.Sum(answer => (double)answer.Usage!.Value.Prompt));

    static double? Share(double part, double whole) => whole == 0 ? null : part / whole;
}
