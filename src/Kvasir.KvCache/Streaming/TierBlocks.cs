namespace Kvasir.KvCache.Streaming;

/// <summary>
/// Blocks in the pool, behind it in the host's memory, and on the disk: those that there is room for, or those of a sequence.
/// </summary>
/// <param name="Pool">In the pool, from which attention reads.</param>
/// <param name="Host">In the host's memory, read in place.</param>
/// <param name="Disk">On the disk, from where they come in every pass.</param>
public readonly record struct TierBlocks(long Pool, long Host, long Disk)
{
    /// <summary>All of them.</summary>
    public long All => Pool + Host + Disk;

    /// <summary>Where so many blocks of one sequence lie that has this room for itself; fewer than all where it ends.</summary>
    public TierBlocks Fill(long blocks)
    {
        long pool = Math.Min(blocks, Pool), host = Math.Min(blocks - pool, Host);
        return new TierBlocks(pool, host, Math.Min(blocks - pool - host, Disk));
    }
}
