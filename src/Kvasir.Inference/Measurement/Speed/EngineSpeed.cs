using System.Diagnostics;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Retention;

namespace Kvasir.Inference.Measurement.Speed;

/// <summary>Times an engine on tokens that mean nothing: speed does not depend on what is said.</summary>
public static class EngineSpeed
{
    /// <summary>Seconds to compute a prompt of <paramref name="tokens"/> tokens after <paramref name="depth"/> others.</summary>
    public static double Prefill(InferenceEngine engine, int tokens, int depth, CancellationToken cancellation = default)
    {
        using Sequence sequence = At(engine, depth, cancellation);
        Append(engine, sequence, tokens);
        long start = Stopwatch.GetTimestamp();
        Compute(engine, sequence, cancellation);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Seconds to compute <paramref name="tokens"/> tokens one by one after <paramref name="depth"/> others.</summary>
    public static double Decode(InferenceEngine engine, int tokens, int depth, CancellationToken cancellation = default)
    {
        using Sequence sequence = At(engine, depth, cancellation);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < tokens; i++)
        {
            Append(engine, sequence, 1);
            Compute(engine, sequence, cancellation);
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>
    /// Seconds to compute <paramref name="tokens"/> tokens one by one behind a view of <paramref name="depth"/> others.
    /// </summary>
    /// <returns>The seconds, how long it took to find out what to keep, and what was kept.</returns>
    public static (double Seconds, RetentionUse Retention) Decode(InferenceEngine engine, int tokens, int depth, RetentionPolicy policy,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        using Sequence sequence = engine.NewSequence();
        Append(engine, sequence, depth);
        RetentionUse retention = engine.Retain(sequence, new RetentionOptions(policy), cancellation);
        Compute(engine, sequence, cancellation);
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < tokens; i++)
        {
            Append(engine, sequence, 1);
            Compute(engine, sequence, cancellation);
        }
        return (Stopwatch.GetElapsedTime(start).TotalSeconds, retention);
    }

    static Sequence At(InferenceEngine engine, int depth, CancellationToken cancellation)
    {
        Sequence sequence = engine.NewSequence();
        Append(engine, sequence, depth);
        if (depth > 0)
            Compute(engine, sequence, cancellation);
        return sequence;
    }

    static void Append(InferenceEngine engine, Sequence sequence, int tokens)
    {
        for (int i = 0; i < tokens; i++)
            sequence.Append([(sequence.Tokens.Length * 31 + 7) % engine.Model.Config.Vocabulary]);
    }

    static void Compute(InferenceEngine engine, Sequence sequence, CancellationToken cancellation)
    {
        if (engine.Forward(sequence, progress: null, cancellation).IsEmpty)
            throw new OperationCanceledException(cancellation);
    }
}
