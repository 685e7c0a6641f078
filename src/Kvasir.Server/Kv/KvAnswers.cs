using System.Text.Json.Serialization;
using Kvasir.Cluster.Peers;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.KvCache.Views;
using Kvasir.Server.Accounting;
using Kvasir.Server.Serving;

namespace Kvasir.Server.Kv;

/// <summary>The answer of <c>/v1/kv/stats</c>. Counters are since the start; sizes are bytes, times seconds.</summary>
sealed record KvStats(
    int Version, double Time, double UptimeS, KvModel Model, IReadOnlyList<KvTier> Tiers, KvTokens Tokens,
    IReadOnlyDictionary<string, long> Misses, KvRequestCounts Requests, double SavedS,
    IReadOnlyList<TierTtft> Ttft)
{
    /// <summary>Which node of a cluster it is; absent when it is alone.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public KvNode? Node { get; init; }

    /// <summary>Tokens that other nodes brought.</summary>
    public long PeerTokens { get; init; }

    /// <summary>How sequences longer than the pool are read; absent where it has room for all.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public KvStreaming? Streaming { get; init; }

    /// <summary>Blocks of the layers with windows; absent where blocks hold all layers.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public KvWindows? Windows { get; init; }

    /// <summary>What is wrong, by tier, be it that there is none because it could not be opened; absent when nothing is.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, string>? Problems { get; init; }

    /// <summary>What retention policies have made of prefixes.</summary>
    public required KvViewCounts Views { get; init; }
}

/// <summary>
/// What was read from the disk for sequences longer than the pool, how long it was read, and how long computing waited for it; the speed
/// that it is taken to have, null while nobody has measured it; and what a step is foreseen to read of a whole context.
/// </summary>
sealed record KvStreaming(long RingBytes, long FileCapacityBlocks, long FileBlocks, long ReadBytes, double ReadS, double WaitedS,
    double? DiskBytesPerS, ForeseenStreaming? Foreseen)
{
    public static KvStreaming? Of(InferenceEngine engine) => engine.Streaming is not { } streaming ? null
        : new(streaming.RingBytes, streaming.FileCapacityBlocks, streaming.FileBlocks, streaming.ReadBytes,
            streaming.ReadTime.TotalSeconds, streaming.Waited.TotalSeconds, streaming.DiskBytesPerS,
            ForeseenStreaming.Of(engine.Foresee(engine.Context)));
}

/// <summary>Views in the pool, their bytes, those of the exact prefixes that they stand for, and those that nobody reads now.</summary>
sealed record KvViewCounts(int Count, long Bytes, long ExactBytes, long ReclaimableBytes)
{
    /// <summary>Which share of their attention rows gave to what views keep, in the mean over them; null where none looked.</summary>
    public double? Mass { get; init; }

    /// <summary>The same in the head that lost most.</summary>
    public double? LeastMass { get; init; }

    /// <summary>Bytes that a step behind one of them reads less, in the mean.</summary>
    public long StepBytesSaved { get; init; }

    /// <summary>About the seconds that this takes; null where the memory's speed was not measured.</summary>
    public double? StepSavedS { get; init; }

    public static KvViewCounts Of(IReadOnlyList<RetainedView> views, long reclaimableBytes)
    {
        long unread = views.Count == 0 ? 0 : (long)views.Average(view => view.UnreadBytes);
        return new KvViewCounts(views.Count, views.Sum(view => view.Bytes), views.Sum(view => view.ExactBytes), reclaimableBytes)
        {
            Mass = ViewHeads.Rounded(views.Average(view => view.Mass?.Mean)),
            LeastMass = ViewHeads.Rounded(views.Min(view => view.Mass?.Least)),
            StepBytesSaved = unread,
            StepSavedS = views.Count == 0 ? null : KnownLimits.Saved(unread)?.TotalSeconds,
        };
    }
}

/// <summary>The answer of <c>/v1/kv/views</c>: the one that was used last first.</summary>
sealed record KvViewsAnswer(int Version, bool Truncated, IReadOnlyList<KvView> Views);

/// <summary>
/// A view: the tokens of its prefix, and how many of them each KV head of each layer keeps. Its id says nothing of whose it is, nor of
/// what: the same prefix has another one in another process. Rows that looked at the prefix gave <c>Mass</c> of their attention to what is
/// kept, in the mean over heads; null where none looked. A step reads <c>StepBytesSaved</c> less, which takes about <c>StepSavedS</c> at
/// the measured speed of the memory; null where that is not known.
/// </summary>
sealed record KvView(string Id, string Policy, int Positions, IReadOnlyList<IReadOnlyList<int>> Kept, double KeptShare, long Bytes,
    long ExactBytes, string KeyType, string ValueType, double? Mass, double? LeastMass, long StepBytesSaved, double? StepSavedS);

/// <summary>A node of a cluster, what it does for the others, and who computes its prompts; null where it does.</summary>
sealed record KvNode(string Name, string Role, IReadOnlyList<PrefillNodeState>? PrefillNodes);

/// <summary>Whose keys and values they are.</summary>
sealed record KvModel(string Id, string Fingerprint, int BlockTokens, long BytesPerToken, int Context);

/// <summary>
/// A tier: what it holds and may hold, and what went in and out. Its bytes are all that it takes; its blocks are those of the layers that see
/// everything, where layers with windows have their own.
/// </summary>
sealed record KvTier(
    string Tier, long CapacityBytes, long UsedBytes, long CapacityBlocks, long Blocks, long LeasedBlocks, long PinnedBlocks, long Evictions,
    long HitTokens, long InBytes, double InS, long OutBytes, double OutS)
{
    /// <summary>Where it lies; absent for memory.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Directory { get; init; }

    /// <summary>What is wrong with it; absent when nothing is.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Problem { get; init; }
}

/// <summary>Tokens of prompts, reused and computed, and of completions.</summary>
sealed record KvTokens(long Prompt, long Reused, long Computed, long Completion);

/// <summary>Requests by what became of them.</summary>
sealed record KvRequestCounts(int Running, int Waiting, long Finished, long Cancelled, long Rejected, long Failed, long Preempted);

/// <summary>The answer of <c>/v1/kv/tree</c>: parents stand before their children.</summary>
sealed record KvTreeAnswer(int Version, bool Text, bool Truncated, IReadOnlyList<KvTreeNode> Nodes);

/// <summary>Blocks without a fork, named by the last one's key; of each tier, how many of them it has.</summary>
sealed record KvTreeNode(string Id, string? Parent, int From, int To, int Blocks, IReadOnlyDictionary<string, int> Tiers, double? LastUse,
    bool Pinned, bool Leased, string? Text);

/// <summary>The answer of <c>/v1/kv/lookup</c>.</summary>
sealed record KvLookupAnswer(int PromptTokens, Explanation Kvasir);

/// <summary>The answer of <c>/v1/kv/warm</c>; of each tier that was asked for, how many tokens of the prompt it has.</summary>
sealed record KvWarmAnswer(int PromptTokens, Explanation Kvasir)
{
    /// <summary>By tier; absent when none was asked for.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyDictionary<string, int>? KeptTokens { get; init; }
}

/// <summary>The answer of <c>/v1/kv/pin</c>.</summary>
sealed record KvPinned(int PinnedBlocks, double Until, string Owner);

/// <summary>The answer of <c>/v1/kv/unpin</c>.</summary>
sealed record KvUnpinned(int UnpinnedBlocks);

/// <summary>
/// The answer of <c>/v1/kv/evict</c>: copies of blocks that went, and that stayed because somebody holds or keeps them; and views that
/// went.
/// </summary>
sealed record KvEvicted(int EvictedBlocks, int KeptBlocks, int EvictedViews);

/// <summary>
/// The answer of <c>/v1/kv/import</c>: blocks in the archive, and how many of them are new, were there already, and found no room.
/// </summary>
sealed record KvImported(int Blocks, int Imported, int Known, int NoRoom);

/// <summary>The answer of <c>/v1/kv/requests</c>, the newest first.</summary>
sealed record KvRequests(IReadOnlyList<RequestRecord> Requests);
