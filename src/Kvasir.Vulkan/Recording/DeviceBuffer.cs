namespace Kvasir.Vulkan.Recording;

/// <summary>Memory of a device.</summary>
/// <param name="bytes">How much.</param>
/// <param name="host">Where the processor reaches it; 0 where it does not.</param>
unsafe class DeviceBuffer(long bytes, nint host) : IDisposable
{
    static long s_last;

    /// <summary>Never the same twice in a process, as the driver's handles may be.</summary>
    public long Id { get; } = Interlocked.Increment(ref s_last);

    public long Bytes => bytes;

    /// <summary>Whether the processor reaches it.</summary>
    public bool IsHostVisible => host != 0;

    /// <summary>All of it.</summary>
    public DeviceRange All => new(this, 0, bytes);

    /// <summary>Numbers in memory that the processor reaches.</summary>
    /// <param name="offset">Bytes before the first.</param>
    /// <param name="count">How many.</param>
    public Span<T> Span<T>(long offset, int count) where T : unmanaged
    {
        if (host == 0)
            throw new InvalidOperationException("memory of a device that the processor does not reach");
        if (offset < 0 || offset + (long)count * sizeof(T) > bytes)
            throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{count} numbers from there, of {bytes} bytes");
        return new Span<T>((byte*)host + offset, count);
    }

    public virtual void Dispose() { }
}

/// <summary>Consecutive bytes of a device's memory.</summary>
readonly record struct DeviceRange(DeviceBuffer Buffer, long Offset, long Bytes)
{
    /// <summary>A part.</summary>
    public DeviceRange Part(long offset, long bytes) => offset >= 0 && bytes >= 0 && offset + bytes <= Bytes
        ? new DeviceRange(Buffer, Offset + offset, bytes)
        : throw new ArgumentOutOfRangeException(nameof(offset), offset, $"{bytes} bytes from there, of {Bytes}");

    public bool Overlaps(DeviceRange other) =>
        Buffer == other.Buffer && Offset < other.Offset + other.Bytes && other.Offset < Offset + Bytes;
}
