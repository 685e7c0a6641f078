using Kvasir.Formats.Models;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Model;
using Kvasir.Inference.Retention;
using Kvasir.Inference.Sampling.Constraints.Masks;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Scheduling;

/// <summary>What an engine is made of, for those who work inside it: what computes, what remembers, and how much at a time.</summary>
sealed class EngineParts
{
    public required ModelSpec Config { get; init; }

    public required Tokenizer Tokenizer { get; init; }

    public required Lazy<TokenTrie> TokenTrie { get; init; }

    public required ITransformer Transformer { get; init; }

    /// <summary>What computes, in messages.</summary>
    public required string Device { get; init; }

    public required TieredKvCache Cache { get; init; }

    /// <summary>What steps take that read from outside the pool.</summary>
    public required StepForecast Forecast { get; init; }

    /// <summary>Tokens that a sequence may hold.</summary>
    public required int Context { get; init; }

    /// <summary>Rows of logits that a prompt of which all are wanted may have in a pass: 64 MiB, however large the vocabulary.</summary>
    public int MostLogitRows => Math.Max(1, (16 << 20) / Config.Vocabulary);

    /// <summary>Most completions that compute at the same time.</summary>
    public required int MaxRunning { get; init; }

    /// <summary>Most completions that wait.</summary>
    public required int MaxWaiting { get; init; }

    /// <summary>About how long a step may take while completions generate.</summary>
    public required TimeSpan StepTime { get; init; }

    /// <summary>Whether every step computes its whole sequence again: the oracle for the cache.</summary>
    public required bool Recomputes { get; init; }

    /// <summary>Whether tokens are guessed ahead, unless a completion says otherwise.</summary>
    public required SpeculativeMode Speculative { get; init; }

    /// <summary>How often guesses were right in all completions; the scheduler's thread alone touches it.</summary>
    public Acceptance Acceptance { get; } = new();

    /// <summary>Whether sequences find and leave blocks at all.</summary>
    public required bool SharesBlocks { get; init; }

    /// <summary>Views that completions make; the scheduler's thread alone touches it.</summary>
    public Dictionary<ViewName, RetentionRun> ViewsInTheMaking { get; } = [];

    public KvLayout Layout => Cache.Layout;

    /// <summary>How a policy's views store keys and values.</summary>
    public ViewCodecs ViewCodecs(RetentionPolicy policy) =>
        new(CodecOf(policy.KeyType, policy.Rotates, Layout.KeyCodec), CodecOf(policy.ValueType, policy.Rotates, Layout.ValueCodec));

    /// <exception cref="ArgumentException">A model's rows cannot be stored as a policy wants it, or passes are too short for it.</exception>
    public void Check(RetentionPolicy policy)
    {
        if (Transformer is not Model.Transformer)
            throw new ArgumentException($"retention {policy}: not computed on {Device}, expected none, or the CPU (--device cpu)");
        if (policy.Scorer == RetentionScorer.FastGen && Transformer.MaxTokens < Math.Min(Scorer.ObservedRows, Context))
            throw new ArgumentException(
                $"prefill chunk: {Transformer.MaxTokens}, expected at least {Scorer.ObservedRows} for retention {policy}: its rows look together");
        if (policy.Epsilon is not null && Config.Attention.FirstOrDefault(layer => layer.Softcap is not null) is { } capped)
            throw new ArgumentException(
                $"retention {policy}: scores of this model are capped at {capped.Softcap}, expected a model without a cap, for which bounds hold");
        if (!policy.ReadsPages && Layout.Windowed is not null)
            throw new ArgumentException($"retention {policy}: layers with windows keep their keys and values apart here, expected an engine "
                + $"whose blocks hold all layers (KvRetention or KvWholeBlocks of its options; "
                + "of programs --kv-retain or --kv-retain-allow)");
        ViewCodecs codecs = ViewCodecs(policy);
        foreach (KvLayer layer in Layout.Layers)
            codecs.SegmentBytes(layer);
    }

    /// <summary>As the pool does, unless a policy names another codec, or says whether rows are rotated.</summary>
    static IKvCodec CodecOf(string? name, bool? rotates, IKvCodec pool)
    {
        IKvCodec plain = name is not null && KvCodecs.TryParse(name, out IKvCodec? named) ? named
            : pool is RotatedCodec { Inner: var inner } && rotates is not null ? inner : pool;
        return rotates ?? (name is not null && KvCodecs.GainsByRotation(plain)) ? KvCodecs.Rotated(plain) : plain;
    }

    /// <summary>Whether there is room for so many blocks, in the pool or outside it, beside what others will take.</summary>
    public bool HasRoomAnywhere(int blocks, IEnumerable<Generation> beside)
    {
        PoolCounts counts = Cache.Device.Counts;
        return Cache.Streamed is not { } streamed
            || blocks + beside.Sum(other => Math.Max(1, other.AllBlocksWanted)) <= counts.Free + counts.Cached + streamed.Room;
    }

    /// <summary>The same for what layers with windows keep, where those have blocks of their own.</summary>
    public bool HasRoomInWindows(int blocks, IEnumerable<Generation> beside) => Cache.Windows is not { Device.Counts: var counts }
        || blocks + beside.Sum(other => other.WindowBlocksWanted) + Layout.BlocksFor(Transformer.MaxTokens) <= counts.Free + counts.Cached;

    /// <summary>What to say when a sequence finds no room for its next tokens.</summary>
    public InvalidOperationException NoRoomFor(Sequence sequence) => new(
        $"the pool has no room for {sequence.Tokens.Length - sequence.Cached} more tokens: {Cache.Device.Counts}"
        + (Cache.Streamed is { } streamed ? $", and outside it there is room for {streamed.Room} blocks {streamed.File?.Problem}" : ""));

    /// <summary>An empty sequence.</summary>
    public Sequence NewSequence(byte[] salt) => new(this, () => Cache.NewSequence(salt, SharesBlocks, Context)) { Salt = salt };

    /// <summary>An empty sequence that finds nothing in the cache and leaves nothing there.</summary>
    public Sequence NewPrivateSequence(byte[] salt) => new(this, () => Cache.NewSequence(sharing: false, tokens: Context)) { Salt = salt };

    public ForwardPass NewPass() => new(Transformer, Cache);
}
