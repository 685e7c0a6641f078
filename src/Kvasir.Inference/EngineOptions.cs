using Kvasir.Inference.Drafting;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Inference;

/// <summary>Sizes and settings of an engine.</summary>
public sealed record EngineOptions
{
    /// <summary>The context that <see cref="Context"/> takes by default, unless the model was trained for less.</summary>
    public const int DefaultContext = 8192;

    /// <summary>
    /// Tokens that a sequence may hold; null takes <see cref="DefaultContext"/> or, if less, what the model was trained for. More than that
    /// may be asked for, but what a model says beyond it is rarely any good. At least 1.
    /// </summary>
    public int? Context { get; init; }

    /// <summary>Sequences at full context for which the pool has room. At least 1.</summary>
    public int Sequences { get; init; } = 1;

    /// <summary>Threads that compute. At least 1.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Tokens per block, a multiple of 16.</summary>
    public int BlockTokens { get; init; } = 16;

    /// <summary>
    /// Most prompt tokens that are computed in one pass, at least 1: enough to share the weights, few enough to stay in the cache.
    /// </summary>
    public int PrefillChunk { get; init; } = 256;

    /// <summary>Most completions that compute at the same time, at least 1.</summary>
    public int MaxRunning { get; init; } = 64;

    /// <summary>Most completions that wait, at least 1; one more is refused.</summary>
    public int MaxWaiting { get; init; } = 1024;

    /// <summary>
    /// About how long a step may take while completions generate: prompts are computed in pieces that fit, so that nobody
    /// waits much longer for a token.
    /// </summary>
    public TimeSpan StepTime { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// Whether tokens are guessed ahead and computed together with the one that is certain, unless a completion says otherwise. No
    /// mode changes an answer.
    /// </summary>
    public SpeculativeMode Speculative { get; init; } = SpeculativeMode.Auto;

    /// <summary>How keys are stored.</summary>
    public IKvCodec KvKeyCodec { get; init; } = F16Codec.Instance;

    /// <summary>How values are stored.</summary>
    public IKvCodec KvValueCodec { get; init; } = F16Codec.Instance;

    /// <summary>Which keys and values are used again.</summary>
    public KvReuse KvReuse { get; init; } = KvReuse.On;

    /// <summary>
    /// Bytes of the pool that attention reads; null takes room for <see cref="Sequences"/> at full context. What sequences leave there is
    /// found again until its room is needed. Where it is too small for the context, and host or disk have the room, the rest of a sequence
    /// is read from there, to the same bits.
    /// </summary>
    public long? KvDeviceBytes { get; init; }

    /// <summary>
    /// What prompts are usually asked to keep (<see cref="GenerationOptions.Retention"/>), so that a pool whose size is not given has room
    /// for a view beside a whole context.
    /// </summary>
    public RetentionPolicy? KvRetention { get; init; }

    /// <summary>
    /// Whether blocks hold all layers, also those with windows, which otherwise have blocks of their own and keep no more than sequences
    /// see. Views of prefixes, and other machines that bring blocks, want whole ones; so engines that have <see cref="KvRetention"/> or peers
    /// have them in any case.
    /// </summary>
    public bool KvWholeBlocks { get; init; }

    /// <summary>
    /// Sequences for which the pool has room for the windows of layers that have them, at the same time; null takes
    /// <see cref="Sequences"/>. Those of shorter sequences take less. At least 1.
    /// </summary>
    public int? KvWindows { get; init; }

    /// <summary>Bytes of the host tier behind the pool; 0 for none.</summary>
    public long KvHostBytes { get; init; }

    /// <summary>
    /// How the host tier stores keys and values; null as the pool does. Any other codec is lossy: its model is another one to the cache.
    /// </summary>
    public IKvCodec? KvHostCodec { get; init; }

    /// <summary>The disk tier, which survives the process; null for none.</summary>
    public DiskTierOptions? KvDisk { get; init; }

    /// <summary>
    /// Makes further tiers for a pool's blocks, which stand behind the others: those of a shared store, or a program's own.
    /// </summary>
    public IReadOnlyList<Func<KvLayout, Fingerprint, ITier>> KvFurtherTiers { get; init; } = [];

    /// <summary>How long a completion waits at most to hear what the tiers have of its prompt; others compute meanwhile.</summary>
    public TimeSpan KvLookupDeadline { get; init; } = KvCacheOptions.DefaultLookupDeadline;

    /// <summary>How long closing the cache may take: what is not written by then is dropped.</summary>
    public TimeSpan KvCloseDeadline { get; init; } = KvCacheOptions.DefaultCloseDeadline;

    /// <summary>Makes what other machines bring to the engine's cache; null for none.</summary>
    internal Func<TieredKvCache, IPeer>? KvPeer { get; init; }

    /// <summary>Whether layers with windows have blocks of their own.</summary>
    internal bool KvWindowsApart => !KvWholeBlocks && KvPeer is null && KvRetention is null or { ReadsPages: true };

    internal InstructionSet InstructionSet { get; init; } = InstructionSets.Chosen();
}

/// <summary>Which keys and values are used again.</summary>
public enum KvReuse
{
    /// <summary>Those of the sequence, and whatever other sequences and processes have left of the same tokens.</summary>
    On,

    /// <summary>Those of the sequence itself: for measurements, which would measure nothing otherwise.</summary>
    WithinSequence,

    /// <summary>None: every step computes the whole sequence again. The oracle for the cache.</summary>
    Off,
}
