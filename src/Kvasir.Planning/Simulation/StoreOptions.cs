namespace Kvasir.Planning.Simulation;

/// <summary>The remote store as a whole, of which <see cref="SimulatedTier"/> says what one machine has of it.</summary>
public sealed record StoreOptions
{
    /// <summary>
    /// Bytes a second of all machines together, read and written; infinite when only the machines' own connections limit them.
    /// </summary>
    public double BytesPerS { get; init; } = double.PositiveInfinity;

    /// <summary>Bytes of a value: reading or writing as many is a request.</summary>
    public long ValueBytes { get; init; } = 512 << 10;

    /// <summary>Price of a GiB for 30 days: of its room, or where that is unlimited, of the most that ever lay there.</summary>
    public double PricePerGiBMonth { get; init; }

    /// <summary>Price of a thousand requests.</summary>
    public double PricePerThousandRequests { get; init; }

    /// <summary>Price of a GiB that is read or written.</summary>
    public double PricePerGiBMoved { get; init; }

    /// <summary>Whether it costs anything.</summary>
    public bool HasPrice => PricePerGiBMonth > 0 || PricePerThousandRequests > 0 || PricePerGiBMoved > 0;

    /// <summary>What it costs.</summary>
    /// <param name="bytes">Bytes that it has room for.</param>
    /// <param name="traffic">What was moved.</param>
    /// <param name="time">For how long.</param>
    public double Price(long bytes, StoreResult traffic, TimeSpan time)
    {
        ArgumentNullException.ThrowIfNull(traffic);
        const double GiB = 1L << 30;
        return (bytes == long.MaxValue ? traffic.PeakBytes : bytes) / GiB * PricePerGiBMonth * (time.TotalDays / 30)
            + traffic.Requests / 1000.0 * PricePerThousandRequests
            + (traffic.BytesRead + traffic.BytesWritten) / GiB * PricePerGiBMoved;
    }

    internal void Check(bool hasStore)
    {
        if (!(BytesPerS > 0))
            throw new ArgumentException($"store: {BytesPerS} bytes a second, expected more than 0");
        ArgumentOutOfRangeException.ThrowIfLessThan(ValueBytes, 1);
        if (!(PricePerGiBMonth >= 0 && PricePerThousandRequests >= 0 && PricePerGiBMoved >= 0))
            throw new ArgumentException("store: a price below 0, expected 0 or more");
        if (HasPrice && !hasStore)
            throw new ArgumentException("store: a price, but no remote tier that has it");
    }
}
