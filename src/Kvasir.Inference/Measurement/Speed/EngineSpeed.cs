using System.Diagnostics;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Retention;

namespace Kvasir.Inference.Measurement.Speed;

/// <summary>
/// Times an engine on tokens that mean nothing, after others whose keys and values are noise: speed does not depend on what is said.
/// </summary>
public static class EngineSpeed
{
    const int StepsBetweenReads = 16;

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
    /// <param name="engine">What computes.</param>
    /// <param name="tokens">Tokens to compute.</param>
    /// <param name="depth">Tokens in the KV cache before the first.</param>
    /// <param name="beside">Reads the weights now and then between two steps, which does not count.</param>
    /// <param name="cancellation">Ends it between two tokens.</param>
    public static double Decode(InferenceEngine engine, int tokens, int depth, WeightTraffic? beside = null,
        CancellationToken cancellation = default)
    {
        using Sequence sequence = At(engine, depth, cancellation);
        return DecodeFrom(engine, sequence, tokens, beside, cancellation);
    }

    /// <summary>
    /// Seconds to compute <paramref name="tokens"/> tokens one by one behind a view of <paramref name="depth"/> others.
    /// </summary>
    /// <returns>The seconds, how long it took to find out what to keep, and what was kept.</returns>
    public static (double Seconds, RetentionUse Retention) Decode(InferenceEngine engine, int tokens, int depth, RetentionPolicy policy,
        WeightTraffic? beside = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(engine);
        using Sequence sequence = engine.NewSequence();
        Append(engine, sequence, depth);
        RetentionUse retention = engine.Retain(sequence, new RetentionOptions(policy), FillWithNoise, cancellation);
        Compute(engine, sequence, cancellation);
        return (DecodeFrom(engine, sequence, tokens, beside, cancellation), retention);
    }

    static double DecodeFrom(InferenceEngine engine, Sequence sequence, int tokens, WeightTraffic? beside, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        double reading = beside?.Read() ?? 0;
        for (int i = 1; i <= tokens; i++)
        {
            Append(engine, sequence, 1);
            Compute(engine, sequence, cancellation);
            if (i % StepsBetweenReads == 0 || i == tokens)
                reading += beside?.Read() ?? 0;
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds - reading;
    }

    static Sequence At(InferenceEngine engine, int depth, CancellationToken cancellation)
    {
        Sequence sequence = engine.NewSequence();
        Append(engine, sequence, depth);
        if (depth > 0)
            FillWithNoise(sequence);
        cancellation.ThrowIfCancellationRequested();
        return sequence;
    }

    /// <summary>Keys and values as long as any: each block has the same ones, in memory of its own.</summary>
    static unsafe void FillWithNoise(Sequence sequence)
    {
        int tokens = sequence.Tokens.Length;
        KvLayout layout = sequence.Blocks.Table.Layout;
        byte[] noise = Noise(layout), ofWindows = layout.Windowed is { } windowed ? Noise(windowed) : [];
        for (int from = 0, to; from < tokens; from = to)
        {
            to = Math.Min(tokens, from + layout.BlockTokens);
            while (!sequence.Blocks.TryReserve(to))
                if (!sequence.Blocks.TryMoveOut())
                    throw sequence.Engine.NoRoomFor(sequence);
            Put(noise, sequence.Blocks.Table);
            if (sequence.Blocks.WindowTable is { } windows)
                Put(ofWindows, windows);
            sequence.Blocks.Fill(sequence.Tokens, from, to);

            void Put(byte[] bytes, BlockTable table) =>
                bytes.CopyTo(new Span<byte>(table.Address(from / layout.BlockTokens), bytes.Length));
        }
    }

    static byte[] Noise(KvLayout layout)
    {
        byte[] noise = new byte[layout.BlockBytes];
        Random random = new(1);
        for (int layer = 0; layer < layout.Layers.Length; layer++)
            for (int head = 0; layout.Layers[layer].Producer == layer && head < layout.Layers[layer].KvHeads; head++)
            {
                Write(layout.KeyCodec, layout.Layers[layer].KeyDim, noise.AsSpan((int)layout.KeyOffset(layer, head)));
                Write(layout.ValueCodec, layout.Layers[layer].ValueDim, noise.AsSpan((int)layout.ValueOffset(layer, head)));
            }
        return noise;

        void Write(IKvCodec codec, int dim, Span<byte> rows)
        {
            float[] row = new float[dim];
            for (int token = 0; token < layout.BlockTokens; token++)
            {
                foreach (ref float value in row.AsSpan())
                    value = random.NextSingle() * 2 - 1;
                codec.Encode(row, rows.Slice(token * codec.RowBytes(dim), codec.RowBytes(dim)));
            }
        }
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
