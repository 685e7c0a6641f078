namespace Kvasir.Inference.Measurement.Limits;

/// <summary>What an earlier run has measured of this machine, for who does not measure himself.</summary>
public static class KnownLimits
{
    static readonly Lazy<MachineLimits?> s_limits = new(() =>
        CacheFolder.Find() is { } folder ? LimitsFile.Read(LimitsFile.In(folder), MachineIdentity.Current()) : null);

    /// <summary>Bytes that it reads from memory in a second, with the threads that read most; null where nobody measured.</summary>
    public static double? ReadBytesPerS => s_limits.Value?.Threads.Max(threads => (double?)threads.ReadBytesPerS);

    /// <summary>
    /// Bytes that it reads in a second from the disk below a directory, or below one that this lies in; null where nobody measured.
    /// </summary>
    public static double? DiskReadBytesPerS(string directory) => s_limits.Value is { } limits
        ? DiskReadBytesPerS(limits, Path.GetFullPath(directory)) : null;

    internal static double? DiskReadBytesPerS(MachineLimits limits, string? directory)
    {
        for (; directory is not null; directory = Path.GetDirectoryName(directory))
            if (limits.For(directory) is { } disk)
                return disk.ReadBytesPerS;
        return null;
    }

    /// <summary>About how much sooner something is over that reads so many bytes less; null where nobody measured.</summary>
    public static TimeSpan? Saved(long unreadBytes) =>
        ReadBytesPerS is { } speed ? TimeSpan.FromSeconds(unreadBytes / speed) : null;
}
