using Kvasir.Inference.Drafting;
using Kvasir.KvCache.Lookups;

namespace Kvasir.Inference.Scheduling;

/// <summary>Why a completion ended.</summary>
public enum FinishReason
{
    /// <summary>The model ended its turn, or a stop string came.</summary>
    Stop,

    /// <summary>The most tokens that were asked for, or the end of the context.</summary>
    Length,

    /// <summary>The caller cancelled.</summary>
    Cancelled,
}

/// <summary>What a generation did.</summary>
public sealed record GenerationResult
{
    /// <summary>The completion's tokens, without the one that ended the turn.</summary>
    public required IReadOnlyList<int> TokenIds { get; init; }

    /// <summary>The completion, all that was emitted.</summary>
    public required string Text { get; init; }

    /// <summary>Why it ended.</summary>
    public required FinishReason FinishReason { get; init; }

    /// <summary>Whether the model would have gone on.</summary>
    public bool IsCut => FinishReason != FinishReason.Stop || StopText is not null;

    /// <summary>The stop string that ended it; null when something else did.</summary>
    public string? StopText { get; init; }

    /// <summary>
    /// How many of the tokens were thoughts, with the markers around them; 0 where <see cref="GenerationOptions.Thoughts"/> names none.
    /// </summary>
    public int ThoughtTokens { get; init; }

    /// <summary>Whether the logits after every token of the prompt were wanted, so that all of it was computed.</summary>
    public bool ReadPrompt { get; init; }

    /// <summary>Tokens of the sequence before the completion.</summary>
    public required int PromptTokens { get; init; }

    /// <summary>What the cache did for the prompt: where keys and values came from, and why others did not.</summary>
    public required CacheUse Kv { get; init; }

    /// <summary>Prompt tokens whose keys and values were not computed.</summary>
    public int ReusedTokens => Kv.Reused;

    /// <summary>The seed that was used.</summary>
    public required ulong Seed { get; init; }

    /// <summary>From the call to the start of its work: it waits while others fill the pool.</summary>
    public required TimeSpan QueueTime { get; init; }

    /// <summary>How long the cache was asked what it has.</summary>
    public TimeSpan LookupTime { get; init; }

    /// <summary>How long the end took: the cache was told what is worth keeping.</summary>
    public TimeSpan StoreTime { get; init; }

    /// <summary>The final hidden state after the prompt, [width], when it was asked for.</summary>
    public ReadOnlyMemory<float>? Hidden { get; init; }

    /// <summary>What came of tokens that were guessed ahead; null where none were to be.</summary>
    public DraftUse? Drafts { get; init; }

    /// <summary>From the call to the first token, waiting included; zero when there was none.</summary>
    public required TimeSpan TimeToFirstToken { get; init; }

    /// <summary>From the first token to the last.</summary>
    public required TimeSpan DecodeTime { get; init; }

    /// <summary>
    /// Prompt tokens whose keys and values were computed; fewer than the rest of the prompt when it was cancelled before its end.
    /// </summary>
    public required int ComputedTokens { get; init; }

    /// <summary>Computed prompt tokens per second until the first token.</summary>
    public double PrefillTokensPerSecond => PerSecond(ComputedTokens, TimeToFirstToken);

    /// <summary>Tokens per second after the first; 0 when there was no second.</summary>
    public required double DecodeTokensPerSecond { get; init; }

    /// <summary>Seconds from one token to the next; 0 when there was no second.</summary>
    public double StepSeconds => DecodeTokensPerSecond > 0 ? 1 / DecodeTokensPerSecond : 0;

    internal static double PerSecond(int tokens, TimeSpan time) => time > TimeSpan.Zero ? tokens / time.TotalSeconds : 0;
}
