using Kvasir.Planning.Sizing;

namespace Kvasir.Planning.Simulation;

/// <summary>What a machine is to a simulation when it serves a model.</summary>
/// <param name="BytesPerToken">Keys and values of a token, in Kvasir's blocks.</param>
/// <param name="Prefill">What prefill takes.</param>
/// <param name="SecondsPerOutputToken">Between two tokens of an answer, beside <see cref="UsualBatch"/> others.</param>
/// <param name="OutputTokensPerS">Tokens of all answers together that a machine generates at most, when as many as fit are generated at the
/// same time and nothing else is done.</param>
/// <param name="RoomBytes">Memory beside the weights for keys and values; null when the hardware's memory or the
/// model's size is not known.</param>
public sealed record MachineShape(long BytesPerToken, PrefillCost Prefill, double SecondsPerOutputToken,
    double OutputTokensPerS, long? RoomBytes)
{
    /// <summary>Answers that are taken to be generated at the same time, each after <see cref="UsualPosition"/> tokens.</summary>
    public const int UsualBatch = 16, UsualPosition = 4096;

    const int LongPrompt = 32_768, MostTogether = 256;

    /// <summary>Memory that is left for anything else.</summary>
    const double Reserve = 0.1;

    /// <summary>From what a model needs and what hardware can do.</summary>
    /// <param name="limits">The model on the hardware at its limits.</param>
    /// <param name="size">Its keys and values.</param>
    /// <param name="weightBytes">Bytes of its weights; null when unknown.</param>
    /// <param name="share">Share of the limits that is reached, above 0 and at most 1.</param>
    public static MachineShape Of(SpeedOfLight limits, KvSize size, long? weightBytes, double share)
    {
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentNullException.ThrowIfNull(size);
        double perSecond = share * limits.OperationsPerS;
        int context = Math.Min(LongPrompt, limits.Traffic.Model.Context);
        PassCost one = limits.Traffic.Prefill(1), two = limits.Traffic.Prefill(2), many = limits.Traffic.Prefill(context);
        PrefillCost prefill = new(
            (two.MatrixOperations - one.MatrixOperations) / perSecond,
            many.AttentionOperations / (context * (context + 1.0) / 2) / perSecond); // of sliding windows the mean over a long prompt
        int position = Math.Min(UsualPosition, limits.Traffic.Model.Context),
            batch = Math.Clamp(limits.LargestBatch(position) ?? MostTogether, 1, MostTogether);
        double room = (1 - Reserve) * (limits.Hardware.MemoryBytes ?? 0) - (weightBytes ?? 0);
        return new MachineShape(
            size.BlockBytes / KvSize.BlockTokens, prefill, limits.Step(UsualBatch, position).Seconds / share,
            share * batch / limits.Step(batch, position).Seconds,
            limits.Hardware.MemoryBytes is null || weightBytes is null ? null : (long)Math.Max(0, room));
    }

    /// <summary>What is different behind views of a policy.</summary>
    /// <param name="limits">The model on the hardware at its limits.</param>
    /// <param name="retention">The policy, and the model's keys and values.</param>
    /// <param name="share">Share of the limits that is reached, above 0 and at most 1.</param>
    public RetainedShape Retained(SpeedOfLight limits, SimulatedRetention retention, double share)
    {
        ArgumentNullException.ThrowIfNull(limits);
        ArgumentNullException.ThrowIfNull(retention);
        int longest = limits.Traffic.Model.Context, position = Math.Min(UsualPosition, longest);
        KvSize size = retention.Size;
        KvUse exact = KvRetention.Everything.Of(size, position), kept = retention.Keeps.Of(size, position);
        CapacityPlan whole = new(size, KvRetention.Everything), thinned = new(size, retention.Keeps);
        int batch = (int)Math.Clamp((RoomBytes ?? long.MaxValue) / Math.Max(1, kept.Bytes), 1, MostTogether);
        return new RetainedShape(Step(UsualBatch) / share, share * batch / Step(batch), position,
            Fitting(whole, inBlocks: true), Fitting(thinned, inBlocks: false));

        FittingSequences? Fitting(CapacityPlan plan, bool inBlocks) => RoomBytes is { } room
            ? new FittingSequences(plan.Sequences(room, position, inBlocks), plan.LongestContext(room, longest, inBlocks))
            : null;

        double Step(int sequences)
        {
            PassCost cost = limits.Traffic.Step(sequences, position);
            return limits.Of(cost with
            {
                KvBytes = (double)sequences * kept.ReadBytes,
                AttentionOperations = cost.AttentionOperations * kept.Rows / Math.Max(1, exact.Rows),
            }).Seconds;
        }
    }
}

/// <summary>What a machine is where everybody is answered through views.</summary>
/// <param name="SecondsPerOutputToken">Between two tokens of an answer, as <see cref="MachineShape.SecondsPerOutputToken"/>.</param>
/// <param name="OutputTokensPerS">Tokens of all answers together, as <see cref="MachineShape.OutputTokensPerS"/>.</param>
/// <param name="Position">Tokens of the sequences that are counted.</param>
/// <param name="Exact">What fits exactly beside the weights, in whole blocks of the pool; null where the room is not known.</param>
/// <param name="Thinned">What fits of views and what stands behind them, likewise.</param>
public sealed record RetainedShape(double SecondsPerOutputToken, double OutputTokensPerS, int Position, FittingSequences? Exact,
    FittingSequences? Thinned);

/// <summary>What fits into a pool.</summary>
/// <param name="Sequences">Sequences side by side, none of which shares anything.</param>
/// <param name="Context">Tokens of the longest sequence, at most of the model's context.</param>
public sealed record FittingSequences(long Sequences, long Context);
