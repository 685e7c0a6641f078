namespace Kvasir.Planning.Sizing;

/// <summary>The numbers that products are computed with.</summary>
public enum Arithmetic
{
    /// <summary>Single precision.</summary>
    Fp32,

    /// <summary>bf16 or f16 with sums of single precision.</summary>
    Bf16,

    /// <summary>fp8 or int8 with sums of 32 bits, whichever is faster.</summary>
    Int8,
}

/// <summary>
/// What a device can do at best. Rates are per second; a multiply-add is two operations; what zeros that are
/// skipped would add does not count.
/// </summary>
public sealed record Hardware
{
    /// <summary>Name as users type it.</summary>
    public required string Name { get; init; }

    /// <summary>Where the numbers come from.</summary>
    public required string Source { get; init; }

    /// <summary>Bytes read from the memory that holds weights and KV.</summary>
    public required double MemoryBytesPerS { get; init; }

    /// <summary>Operations on bf16 or f16; null when there is no figure.</summary>
    public double? Bf16PerS { get; init; }

    /// <summary>Operations on fp8 or int8; null when there is no figure.</summary>
    public double? Int8PerS { get; init; }

    /// <summary>Operations on single-precision numbers; null when there is no figure.</summary>
    public double? Fp32PerS { get; init; }

    /// <summary>Size of that memory; null when unknown.</summary>
    public double? MemoryBytes { get; init; }

    /// <summary>Operations of one kind, or null when there is no figure.</summary>
    public double? Peak(Arithmetic arithmetic) => arithmetic switch
    {
        Arithmetic.Bf16 => Bf16PerS,
        Arithmetic.Int8 => Int8PerS,
        _ => Fp32PerS,
    };

    /// <summary>
    /// The arithmetic that products with such weights usually have: 16 bits where the device knows them, since small weights are widened to
    /// those; a processor that does not computes with 8 bits when the weights have no more, and else in single precision.
    /// </summary>
    public Arithmetic UsualFor(double bytesPerWeight) =>
        Bf16PerS is not null ? Arithmetic.Bf16
        : Int8PerS is not null && (bytesPerWeight < 2 || Fp32PerS is null) ? Arithmetic.Int8
        : Arithmetic.Fp32;

    /// <summary>
    /// So many of them with weights and KV split evenly and nothing lost between them (tensor parallel): everything adds up.
    /// </summary>
    public Hardware Times(int devices) => this with
    {
        MemoryBytesPerS = devices * MemoryBytesPerS,
        Bf16PerS = devices * Bf16PerS,
        Int8PerS = devices * Int8PerS,
        Fp32PerS = devices * Fp32PerS,
        MemoryBytes = devices * MemoryBytes,
    };
}
