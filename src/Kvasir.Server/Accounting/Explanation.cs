using System.Text.Json.Serialization;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;

namespace Kvasir.Server.Accounting;

/// <summary>What the cache did for one prompt: the <c>kvasir</c> object. Positions are tokens, times seconds.</summary>
sealed record Explanation(
    ReusedTokens Reused, int Computed, long RestoredBytes, double RestoreS, double SavedS, IReadOnlyList<ExplainedSpan> Spans,
    IReadOnlyList<ExplainedMiss> Miss)
{
    /// <summary>The node that served it; absent when there is only one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Node { get; init; }

    /// <summary>What other nodes brought; absent when that is nothing.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ExplainedPeers? Peers { get; init; }

    /// <summary>What a retention policy meant for it; absent without one.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ExplainedRetention? Retention { get; init; }

    /// <summary>What was read from outside the pool in each step; absent when the pool had room for all.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ExplainedStreaming? Streaming { get; init; }

    /// <summary>What came of tokens that were guessed ahead; absent where none were to be.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ExplainedDrafts? Speculative { get; init; }

    /// <summary>Explains what a completion did.</summary>
    /// <param name="result">The completion.</param>
    /// <param name="tokenizer">The model's tokenizer, or null for whoever may not see text.</param>
    /// <param name="seesOthers">Whether to say that others have the same; who asks under a salt must not learn that.</param>
    public static Explanation Of(GenerationResult result, Tokenizer? tokenizer, bool seesOthers) => new(
        new ReusedTokens(result.Kv.Device, result.Kv.Host, result.Kv.Disk, result.Kv.Remote),
        result.ComputedTokens, result.Kv.RestoredBytes,
        result.Kv.RestoreTime.TotalSeconds, result.Kv.Saved.TotalSeconds, [.. result.Kv.Spans.Select(ExplainedSpan.Of)],
        result.ReadPrompt
            ? [ExplainedMiss.LogitsWanted(result.PromptTokens)]
            : [.. result.Kv.Misses.Select(miss => ExplainedMiss.Of(miss, tokenizer, seesOthers))])
    {
        Retention = ExplainedRetention.Of(result),
        Speculative = result.Drafts is { } drafts ? new ExplainedDrafts(drafts.Drafted, drafts.Accepted, drafts.Rejected) : null,
        Streaming = result.Kv.Streamed is { } streamed
            ? new ExplainedStreaming(streamed.Blocks, streamed.Host, streamed.Disk, streamed.DiskBytes, result.StepSeconds)
            {
                Foreseen = ForeseenStreaming.Of(result.Kv.Foreseen),
            }
            : null,
        Peers = result.Kv.Peers.Count > 0 ? new ExplainedPeers(result.Kv.Peer, result.Kv.ComputedByPeers, result.Kv.Peers) : null,
    };

    /// <summary>Explains what would be done for a prompt.</summary>
    public static Explanation Of(PrefixLookup lookup, Tokenizer? tokenizer)
    {
        ExplainedSpan[] spans = [.. lookup.Spans()
            .Select(span => new ExplainedSpan(span.From, span.To, span.Tier is { } tier ? tier.Name() : ExplainedSpan.Computed))];
        int From(string source) => spans.Sum(span => span.Source == source ? span.To - span.From : 0);
        return new Explanation(
            new ReusedTokens(From(Tier.Device.Name()), From(Tier.Host.Name()), From(Tier.Disk.Name()), From(Tier.Remote.Name())),
            From(ExplainedSpan.Computed), 0, 0, 0, spans,
            [.. lookup.Misses.Select(miss => ExplainedMiss.Of(miss, tokenizer, seesOthers: true))]);
    }
}

/// <summary>Tokens of an answer that were guessed and computed ahead, those that were right, and those that were not.</summary>
sealed record ExplainedDrafts(int Drafted, int Accepted, int Rejected);

/// <summary>Tokens that other nodes brought, those of them that they computed for it, and who they were.</summary>
sealed record ExplainedPeers(int Tokens, int Computed, IReadOnlyList<string> Nodes);

/// <summary>Blocks of a sequence longer than the pool, those read in the host's memory and from the disk; and a step's time.</summary>
sealed record ExplainedStreaming(int Blocks, int Host, int Disk, long DiskBytes, double StepS)
{
    /// <summary>What was foreseen of the prompt when it was admitted; absent where the pool seemed to have room for it.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ForeseenStreaming? Foreseen { get; init; }
}

/// <summary>The same before it was computed, for a sequence alone; its time is null where disk or memory were not measured.</summary>
sealed record ForeseenStreaming(long Blocks, long Host, long Disk, long HostBytes, long DiskBytes, double? StepS)
{
    public static ForeseenStreaming? Of(StreamForecast? forecast) => forecast is null ? null
        : new(forecast.Blocks, forecast.Host, forecast.Disk, forecast.HostBytes, forecast.DiskBytes, forecast.Step?.TotalSeconds);
}

/// <summary>Tokens found in each tier.</summary>
sealed record ReusedTokens(int Device, int Host, int Disk, int Remote);

/// <summary>Tokens <c>[from, to)</c> and where they came from: a tier, or <c>computed</c>.</summary>
sealed record ExplainedSpan(int From, int To, string Source)
{
    public const string Computed = "computed";

    public static ExplainedSpan Of(CacheSpan span) => new(span.From, span.To, span.Tier is { } tier ? tier.Name() : Computed);
}

/// <summary>Tokens that were not reused, and why.</summary>
sealed record ExplainedMiss(int From, int To, string Reason, string? Detail)
{
    /// <summary>Of a prompt whose tokens are told with their chances: keys and values may be in the cache, and logits never are.</summary>
    public static ExplainedMiss LogitsWanted(int tokens) =>
        new(0, tokens, "logits_wanted", "the logits after each token were asked for: they are computed, not kept");

    public static ExplainedMiss Of(Miss miss, Tokenizer? tokenizer, bool seesOthers) => new(
        miss.From, miss.To, (miss.Reason == MissReason.OtherSalt && !seesOthers ? MissReason.NeverSeen : miss.Reason).Name(),
        MissText.Detail(miss, tokenizer));
}
