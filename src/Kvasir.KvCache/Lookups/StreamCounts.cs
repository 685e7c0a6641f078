namespace Kvasir.KvCache.Lookups;

/// <summary>What an engine has read from the disk for sequences longer than the pool.</summary>
/// <param name="RingBytes">Bytes of the ring through which it comes.</param>
/// <param name="FileCapacityBlocks">Blocks that the file may hold.</param>
/// <param name="FileBlocks">Blocks in it.</param>
/// <param name="ReadBytes">Bytes that were read.</param>
/// <param name="ReadTime">How long something was being read.</param>
/// <param name="Waited">How long computing waited for it.</param>
/// <param name="DiskBytesPerS">Bytes per second that the disk is taken to give; null while nobody has measured it.</param>
public sealed record StreamCounts(long RingBytes, int FileCapacityBlocks, int FileBlocks, long ReadBytes, TimeSpan ReadTime,
    TimeSpan Waited, double? DiskBytesPerS);
