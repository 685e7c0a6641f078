namespace Kvasir.KvCache.Lookups;

/// <summary>What a step of a sequence will read that is longer than the pool and has it for itself.</summary>
/// <param name="Blocks">Blocks of the sequence.</param>
/// <param name="Host">Of those, the ones that are read in the host's memory.</param>
/// <param name="Disk">The ones that come from the disk.</param>
/// <param name="HostBytes">Bytes read in the host's memory.</param>
/// <param name="DiskBytes">Bytes read from the disk.</param>
/// <param name="Step">How long a step takes at least, by the measured speed of disk and memory; null where nobody measured.</param>
public sealed record StreamForecast(long Blocks, long Host, long Disk, long HostBytes, long DiskBytes, TimeSpan? Step);
