using System.Collections.Immutable;

namespace Kvasir.Planning.Sizing;

/// <summary>One choice between latency and throughput.</summary>
/// <param name="Position">Tokens before the one that is computed, in each sequence.</param>
/// <param name="Batch">Sequences that get a token in one step.</param>
/// <param name="Time">The least time of the step.</param>
/// <param name="MemoryBytes">Weights and KV in memory; null when unknown.</param>
/// <param name="Fits">Whether they fit; null when unknown.</param>
public sealed record FrontierPoint(int Position, int Batch, PassTime Time, double? MemoryBytes, bool? Fits)
{
    /// <summary>Tokens per second of all sequences.</summary>
    public double TokensPerS => Batch / Time.Seconds;
}

/// <summary>Batches from the fastest for one sequence to the most tokens for all.</summary>
public static class Frontier
{
    const int MostBatch = 1 << 20;

    /// <summary>The point of a batch at a position.</summary>
    public static FrontierPoint At(SpeedOfLight limits, int batch, int position)
    {
        ArgumentNullException.ThrowIfNull(limits);
        return new(position, batch, limits.Step(batch, position), limits.MemoryBytes(batch, position), limits.Fits(batch, position));
    }

    /// <summary>
    /// The powers of two up to the critical batch, beyond which products gain nothing, and the first above it; where memory ends before, up
    /// to the largest batch that fits, and that one.
    /// </summary>
    public static ImmutableArray<FrontierPoint> Of(SpeedOfLight limits, int position)
    {
        ArgumentNullException.ThrowIfNull(limits);
        double enough = Math.Clamp(2 * limits.CriticalBatch, 2, MostBatch);
        int most = Math.Max(1, Math.Min(limits.LargestBatch(position) ?? MostBatch, (int)Math.Ceiling(enough)));
        List<int> batches = [];
        for (int batch = 1; batch <= most && batch < enough; batch *= 2)
            batches.Add(batch);
        if (most < enough && batches[^1] != most)
            batches.Add(most);
        return [.. batches.Select(batch => At(limits, batch, position))];
    }
}
