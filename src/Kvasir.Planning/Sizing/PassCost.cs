namespace Kvasir.Planning.Sizing;

/// <summary>
/// What one pass over a model moves and computes at least, whatever does it: a step of a batch, or a prompt. A
/// multiply-add is two operations.
/// </summary>
/// <param name="WeightBytes">Bytes of weights read, once for the whole batch.</param>
/// <param name="KvBytes">Bytes of keys and values read, of all sequences.</param>
/// <param name="MatrixOperations">Operations of products with weights.</param>
/// <param name="AttentionOperations">Operations of queries with keys and of weights with values.</param>
public readonly record struct PassCost(double WeightBytes, double KvBytes, double MatrixOperations, double AttentionOperations)
{
    /// <summary>
    /// <c>max(weight bytes / bandwidth, matrix operations / peak) + max(KV bytes / bandwidth, attention operations / peak)</c>: memory and
    /// arithmetic overlap, but attention and products wait for each other's results. zeux, "LLM inference speed of light", 2024; Austin et
    /// al., "How to Scale Your Model", 2025, part 7.
    /// </summary>
    /// <param name="bytesPerS">Memory bandwidth.</param>
    /// <param name="operationsPerS">Peak of the arithmetic.</param>
    public PassTime At(double bytesPerS, double operationsPerS) => new(
        Math.Max(WeightBytes / bytesPerS, MatrixOperations / operationsPerS),
        Math.Max(KvBytes / bytesPerS, AttentionOperations / operationsPerS),
        MatrixOperations / operationsPerS > WeightBytes / bytesPerS);
}

/// <summary>The least time that a pass takes.</summary>
/// <param name="MatrixSeconds">Seconds of the products with weights.</param>
/// <param name="AttentionSeconds">Seconds of attention.</param>
/// <param name="BoundByArithmetic">Whether the products wait for arithmetic, not for weights.</param>
public readonly record struct PassTime(double MatrixSeconds, double AttentionSeconds, bool BoundByArithmetic)
{
    /// <summary>Seconds of both.</summary>
    public double Seconds => MatrixSeconds + AttentionSeconds;

    /// <summary>Attention's share of the time, 0 to 1.</summary>
    public double AttentionShare => AttentionSeconds / Seconds;
}
