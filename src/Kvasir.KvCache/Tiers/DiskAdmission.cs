namespace Kvasir.KvCache.Tiers;

/// <summary>Which blocks are worth writing to the disk. A pinned block always is.</summary>
public enum DiskAdmission
{
    /// <summary>All blocks of a request, at its end: a process that answers once and exits leaves something for the next.</summary>
    EndOfRequest,

    /// <summary>A block that is used a second time: spares the disk what never comes again.</summary>
    SecondUse,
}
