namespace Kvasir.KvCache.Tiers;

/// <summary>Which blocks are worth writing to a tier, and when. A pinned block always is.</summary>
public enum Admission
{
    /// <summary>All blocks, as soon as they are full.</summary>
    WhenFull,

    /// <summary>All blocks of a request, at its end: a process that answers once and exits leaves something for the next.</summary>
    EndOfRequest,

    /// <summary>A block that is used a second time: spares the tier what never comes again.</summary>
    SecondUse,
}
