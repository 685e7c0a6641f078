using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Lookups;

namespace Kvasir.Cli.Verbs;

/// <summary>What <c>run --json</c> prints. Times are in seconds.</summary>
sealed record RunReport(
    string Model, int PromptTokens, int CompletionTokens, IReadOnlyList<int> TokenIds, string Text, string FinishReason, ulong Seed,
    RunTimings Timings, RunKv Kv, RunDrafts? Speculative)
{
    public static RunReport Of(InferenceEngine engine, GenerationResult result, TimeSpan load) => new(
        engine.Model.Config.Name, result.PromptTokens, result.TokenIds.Count, result.TokenIds, result.Text,
        result.FinishReason.ToString().ToLowerInvariant(), result.Seed,
        new RunTimings(load.TotalSeconds, result.TimeToFirstToken.TotalSeconds,
            result.PrefillTokensPerSecond, result.DecodeTokensPerSecond),
        RunKv.Of(engine, result), result.Drafts is { } drafts ? new RunDrafts(drafts.Drafted, drafts.Accepted, drafts.Rejected) : null);
}

/// <summary>Tokens that were guessed ahead, those that were right, and those that were not.</summary>
sealed record RunDrafts(int Drafted, int Accepted, int Rejected);

sealed record RunTimings(double LoadS, double TtftS, double PrefillTokensPerS, double DecodeTokensPerS);

/// <summary>Where the prompt's keys and values came from, in tokens, and why others were computed. Times are in seconds.</summary>
sealed record RunKv(
    ReusedTokens Reused, int Computed, long RestoredBytes, double RestoreS, double SavedS, IReadOnlyList<RunMiss> Miss,
    long BytesPerToken, int BlockTokens)
{
    public static RunKv Of(InferenceEngine engine, GenerationResult result) => new(
        new ReusedTokens(result.Kv.Device, result.Kv.Host, result.Kv.Disk, result.Kv.Remote), result.ComputedTokens,
        result.Kv.RestoredBytes, result.Kv.RestoreTime.TotalSeconds, result.Kv.Saved.TotalSeconds,
        [.. result.Kv.Misses.Select(miss => RunMiss.Of(miss, engine.Model.Tokenizer))],
        engine.Layout.BytesPerToken, engine.Layout.BlockTokens);
}

/// <summary>Tokens found in each tier.</summary>
sealed record ReusedTokens(int Device, int Host, int Disk, int Remote);

/// <summary>Tokens that were not reused, and why.</summary>
sealed record RunMiss(int From, int To, string Reason, string? Detail)
{
    public static RunMiss Of(Miss miss, Tokenizer tokenizer) =>
        new(miss.From, miss.To, miss.Reason.Name(), MissText.Detail(miss, tokenizer));
}
