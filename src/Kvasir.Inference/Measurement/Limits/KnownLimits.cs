namespace Kvasir.Inference.Measurement.Limits;

/// <summary>What an earlier run has measured of this machine, for who does not measure himself.</summary>
public static class KnownLimits
{
    static readonly Lazy<double?> s_readBytesPerS = new(() => CacheFolder.Find() is { } folder
        ? LimitsFile.Read(LimitsFile.In(folder), MachineIdentity.Current())?.Threads.Max(threads => (double?)threads.ReadBytesPerS)
        : null);

    /// <summary>Bytes that it reads from memory in a second, with the threads that read most; null where nobody measured.</summary>
    public static double? ReadBytesPerS => s_readBytesPerS.Value;

    /// <summary>About how much sooner something is over that reads so many bytes less; null where nobody measured.</summary>
    public static TimeSpan? Saved(long unreadBytes) =>
        ReadBytesPerS is { } speed ? TimeSpan.FromSeconds(unreadBytes / speed) : null;
}
