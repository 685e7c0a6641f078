using Kvasir.Formats;

namespace Kvasir.Planning.Sizing;

/// <summary>
/// The least times that physics allows a model on a device: bytes over bandwidth and operations over peak, with nothing lost.
/// </summary>
public sealed class SpeedOfLight
{
    readonly double _bytesPerS;

    /// <param name="traffic">What the model's passes cost.</param>
    /// <param name="hardware">What computes them, all devices together.</param>
    /// <param name="arithmetic">How.</param>
    /// <exception cref="ArgumentException">The hardware has no figure for the arithmetic.</exception>
    public SpeedOfLight(ModelTraffic traffic, Hardware hardware, Arithmetic arithmetic)
    {
        ArgumentNullException.ThrowIfNull(traffic);
        ArgumentNullException.ThrowIfNull(hardware);
        (Traffic, Hardware, _bytesPerS) = (traffic, hardware, hardware.MemoryBytesPerS);
        OperationsPerS = hardware.Peak(arithmetic) ?? throw new ArgumentException(
            $"{Printable.Line(hardware.Name)}: no figure for {arithmetic.ToString().ToLowerInvariant()}, expected arithmetic that it has "
                + $"one for");
    }

    /// <summary>What the model's passes cost.</summary>
    public ModelTraffic Traffic { get; }

    /// <summary>What computes them.</summary>
    public Hardware Hardware { get; }

    /// <summary>Its peak of the arithmetic.</summary>
    public double OperationsPerS { get; }

    /// <summary>The least time of a pass.</summary>
    public PassTime Of(PassCost cost) => cost.At(_bytesPerS, OperationsPerS);

    /// <summary>A step in which each sequence of a batch gets one token, with <paramref name="position"/> tokens before it.</summary>
    public PassTime Step(int batch, int position) => Of(Traffic.Step(batch, position));

    /// <summary>A prompt of so many tokens after <paramref name="depth"/> others.</summary>
    public PassTime Prefill(int tokens, int depth = 0) => Of(Traffic.Prefill(tokens, depth));

    /// <summary>
    /// The batch from which products wait for arithmetic and no longer for weights:
    /// <c>peak · weight bytes(B) / (2 · active parameters · bandwidth)</c>.
    /// </summary>
    public double CriticalBatch
    {
        get
        {
            // A mixture reads more weights for more tokens. From above, this comes down to where both times are equal;
            // otherwise it is there at once.
            double batch = double.PositiveInfinity, perToken = Traffic.Step(1, 0).MatrixOperations;
            for (int i = 0; i < 64; i++)
                batch = OperationsPerS * Traffic.WeightBytes(batch) / (perToken * _bytesPerS);
            return batch;
        }
    }

    /// <summary>Bytes in memory with a batch of sequences at a position; null when the model's parameters are unknown.</summary>
    public double? MemoryBytes(int batch, int position) => Traffic.ResidentWeightBytes + batch * Traffic.KvBytesKept(position);

    /// <summary>Whether that fits; null when a size is unknown. Activations and whatever else a program needs are left out.</summary>
    public bool? Fits(int batch, int position) => MemoryBytes(batch, position) is { } needed && Hardware.MemoryBytes is { } size
        ? needed <= size
        : null;

    /// <summary>The largest batch at a position that fits, 0 if none does; null when nothing bounds it.</summary>
    public int? LargestBatch(int position)
    {
        double? room = Hardware.MemoryBytes - Traffic.ResidentWeightBytes;
        return room < 0 ? 0
            : room is null || position == 0 ? null
            : (int)Math.Min(int.MaxValue, room.Value / Traffic.KvBytesKept(position));
    }

    /// <summary>
    /// The bandwidth of a tier above which keys and values of a prompt come back sooner than they are computed again:
    /// <c>KV bytes / prefill seconds</c>.
    /// </summary>
    public double BreakEvenBytesPerS(int tokens) => Traffic.KvBytesKept(tokens) / Prefill(tokens).Seconds;
}
