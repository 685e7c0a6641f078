using Kvasir.Inference;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>run --json</c> prints. Times are in seconds.</summary>
sealed record RunReport(
    string Model, int PromptTokens, int CompletionTokens, IReadOnlyList<int> TokenIds, string Text, string FinishReason, ulong Seed,
    RunTimings Timings, RunKv Kv)
{
    public static RunReport Of(InferenceEngine engine, GenerationResult result, TimeSpan load) => new(
        engine.Model.Config.Name, result.PromptTokens, result.TokenIds.Count, result.TokenIds, result.Text,
        result.FinishReason.ToString().ToLowerInvariant(), result.Seed,
        new RunTimings(load.TotalSeconds, result.TimeToFirstToken.TotalSeconds, result.PrefillTokensPerSecond, result.DecodeTokensPerSecond),
        new RunKv(new ReusedTokens(result.Kv.Device, result.Kv.Host, result.Kv.Disk, result.Kv.Remote), result.ComputedTokens, engine.Layout.BytesPerToken, engine.Layout.BlockTokens));
}

sealed record RunTimings(double LoadS, double TtftS, double PrefillTokensPerS, double DecodeTokensPerS);

/// <summary>Where the prompt's keys and values came from, in tokens.</summary>
sealed record RunKv(ReusedTokens Reused, int Computed, long BytesPerToken, int BlockTokens);

/// <summary>Tokens found in each tier. Only the device tier exists so far.</summary>
sealed record ReusedTokens(int Device, int Host, int Disk, int Remote);
