using Kvasir.Inference.Kernels;
using Kvasir.KvCache.Codecs;

namespace Kvasir.Inference;

/// <summary>Sizes and settings of an engine.</summary>
public sealed record EngineOptions
{
    /// <summary>The context that <see cref="Context"/> takes by default, unless the model was trained for less.</summary>
    public const int DefaultContext = 8192;

    /// <summary>
    /// Tokens that a sequence may hold; null takes <see cref="DefaultContext"/> or, if less, what the model was trained for. More than that may
    /// be asked for, but what a model says beyond it is rarely any good. At least 1.
    /// </summary>
    public int? Context { get; init; }

    /// <summary>Sequences at full context for which the pool has room. At least 1.</summary>
    public int Sequences { get; init; } = 1;

    /// <summary>Threads that compute. At least 1.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;

    /// <summary>Tokens per block, a multiple of 16.</summary>
    public int BlockTokens { get; init; } = 16;

    /// <summary>Most prompt tokens that are computed in one pass, at least 1: enough to share the weights, few enough to stay in the cache.</summary>
    public int PrefillChunk { get; init; } = 256;

    /// <summary>How keys and values are stored.</summary>
    public IKvCodec KvCodec { get; init; } = F16Codec.Instance;

    /// <summary>Whether keys and values survive a step. If not, every step computes the whole sequence again: the oracle for the cache.</summary>
    public KvReuse KvReuse { get; init; } = KvReuse.On;

    internal InstructionSet InstructionSet { get; init; } = InstructionSets.Chosen();
}

/// <summary>Whether keys and values survive a step.</summary>
public enum KvReuse
{
    /// <summary>They are kept and used.</summary>
    On,

    /// <summary>Every step computes them all again.</summary>
    Off,
}
