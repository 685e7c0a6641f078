using Kvasir.Inference.Measurement.Limits;
using Kvasir.KvCache;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Streaming;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// What steps take that read from outside the pool, before they are computed: bytes over bandwidth. The disk's is what it gave so far or,
/// before anything was read, what <c>kvasir limits</c> has measured of it; that of memory is known from there only.
/// </summary>
/// <param name="cache">The cache.</param>
/// <param name="room">Blocks for which its tiers have room.</param>
/// <param name="weightBytes">Bytes of weights that a step reads.</param>
sealed class StepForecast(TieredKvCache cache, TierBlocks room, long weightBytes)
{
    readonly Lazy<double?> _knownDisk = new(() =>
        cache.Streamed?.Options.Disk is { } disk ? KnownLimits.DiskReadBytesPerS(disk.Folder) : null);

    /// <summary>Bytes per second that the disk gives; null while nobody has measured it.</summary>
    public double? DiskBytesPerS => cache.Costs.StreamedBytesPerSecond is > 0 and var measured ? measured : _knownDisk.Value;

    /// <summary>
    /// What a step reads of a sequence of so many tokens that has the tiers for itself; null where the pool has room for it.
    /// </summary>
    public StreamForecast? Of(int tokens)
    {
        if (cache.Streamed is null)
            return null;
        long bytes = cache.Layout.BlockBytes, blocks = cache.Layout.BlocksFor(tokens);
        TierBlocks lies = room.Fill(blocks);
        return blocks == lies.Pool ? null : new StreamForecast(blocks, lies.Host, lies.Disk, lies.Host * bytes, lies.Disk * bytes,
            Time(weightBytes + blocks * bytes, lies.Disk * bytes));
    }

    /// <summary>How long the disk takes for so many blocks; zero where that is not known.</summary>
    public TimeSpan Reading(long blocks) =>
        DiskBytesPerS is { } speed ? TimeSpan.FromSeconds(blocks * cache.Layout.BlockBytes / speed) : TimeSpan.Zero;

    /// <summary>
    /// The disk is read while what is there already is attended to, so the longer of both counts; null where one is not known that does.
    /// </summary>
    TimeSpan? Time(long memoryBytes, long diskBytes)
    {
        TimeSpan? memory = KnownLimits.ReadBytesPerS is { } speed ? TimeSpan.FromSeconds(memoryBytes / speed) : null;
        if (diskBytes == 0)
            return memory;
        return DiskBytesPerS is { } disk ? TimeSpan.FromSeconds(Math.Max(diskBytes / disk, memory?.TotalSeconds ?? 0)) : null;
    }
}
