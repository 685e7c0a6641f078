namespace Kvasir.KvCache.Lookups;

/// <summary>What a sequence that is longer than the pool reads from outside it in each step.</summary>
/// <param name="Blocks">Blocks of the sequence.</param>
/// <param name="Host">Of those, the ones that are read in the host's memory.</param>
/// <param name="Disk">The ones that come from the disk.</param>
/// <param name="DiskBytes">Bytes of those.</param>
public sealed record StreamUse(int Blocks, int Host, int Disk, long DiskBytes);
