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
    public Func<IEvictionPolicy> Policy { get; init; } = () => new LeafFirstLru();

    /// <summary>Which blocks are written.</summary>
    public Admission Admission { get; init; } = Admission.EndOfRequest;

    /// <summary>The clock.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>
    /// Hears the name of each step of a write, of a read and of a query, and may wait, throw or end the process there: for tests.
    /// </summary>
    internal Action<string>? FaultPoint { get; init; }

    internal Action? QueryFault => FaultPoint is { } hear ? () => hear("query") : null;
}
