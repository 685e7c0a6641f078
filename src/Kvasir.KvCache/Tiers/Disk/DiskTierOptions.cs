using Kvasir.KvCache.Eviction;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>Where blocks are kept on a disk, and how many.</summary>
public sealed record DiskTierOptions
{
    /// <summary>Most bytes by default: 8 GiB.</summary>
    public const long DefaultMaxBytes = 8L << 30;

    /// <summary>The directory; made, for its owner only, if it is missing.</summary>
    public required string Folder { get; init; }

    /// <summary>Most bytes of all blocks in the directory, of all models together.</summary>
    public long MaxBytes { get; init; } = DefaultMaxBytes;

    /// <summary>Bytes of the file system that stay free.</summary>
    public long KeepFreeBytes { get; init; } = 1L << 30;

    /// <summary>Makes the policy that says which block goes first.</summary>
    public Func<IEvictionPolicy> Policy { get; init; } = () => new HitDensity();

    /// <summary>Which blocks are written.</summary>
    public Admission Admission { get; init; } = Admission.EndOfRequest;

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>
    /// Hears the name of each step of a write, of a read and of a query, and may wait, throw or end the process there: for tests.
    /// </summary>
    internal Action<string>? FaultPoint { get; init; }

    /// <summary>Says how many bytes are free, in place of the system: for tests.</summary>
    internal Func<long>? FreeSpace { get; init; }

    /// <summary>
    /// Bytes that may still be taken of the file system: those that are free, less those that stay so. Where it does not say, writing finds
    /// out.
    /// </summary>
    public long FreeBytes()
    {
        try
        {
            return Math.Max(0, FreeOnDisk() - KeepFreeBytes);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return long.MaxValue;
        }
    }

    /// <summary>Bytes that are free where the directory is, or will be made.</summary>
    long FreeOnDisk()
    {
        if (FreeSpace is { } told)
            return told();
        string? there = Path.GetFullPath(Folder);
        while (there is not null && !Directory.Exists(there))
            there = Path.GetDirectoryName(there);
        return new DriveInfo(there ?? Folder).AvailableFreeSpace;
    }

    internal Action? QueryFault => FaultPoint is { } hear ? () => hear("query") : null;
}
