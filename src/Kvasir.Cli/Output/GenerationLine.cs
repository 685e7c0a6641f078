using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli.Output;

/// <summary>What a generation took, in one line for people.</summary>
static class GenerationLine
{
    public static string Of(GenerationResult result)
    {
        // no speeds: the prompt was not computed to its end
        if (result.FinishReason == FinishReason.Cancelled && result.TokenIds.Count == 0)
            return $"prompt {result.PromptTokens:N0} tokens · interrupted before the answer began";
        string reused = result.ReusedTokens > 0 ? $" ({result.ReusedTokens:N0} from the cache)" : "";
        string line =
            $"prompt {result.PromptTokens:N0}{reused}, answer {result.TokenIds.Count:N0} tokens · TTFT {Duration(result.TimeToFirstToken)}"
            + $" · prefill {Prefill(result)} · decode {Speed(result.DecodeTokensPerSecond)}";
        return result.FinishReason switch
        {
            FinishReason.Length => line + " · cut at the limit of tokens",
            FinishReason.Cancelled => line + " · interrupted",
            _ => line,
        };
    }

    /// <summary>A time as people read it.</summary>
    public static string Duration(TimeSpan time) => time.TotalSeconds < 1
        ? $"{time.TotalMilliseconds:0.#} ms"
        : $"{time.TotalSeconds:0.00} s";

    /// <summary>A few tokens after many that came from the cache say nothing about the speed of prefill.</summary>
    static string Prefill(GenerationResult result) => result.ReusedTokens > 0 && result.ComputedTokens < 32
        ? "–"
        : Speed(result.PrefillTokensPerSecond);

    static string Speed(double tokensPerSecond) => tokensPerSecond > 0 ? $"{tokensPerSecond:N0} tok/s" : "–";
}
