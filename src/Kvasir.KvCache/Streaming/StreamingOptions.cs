using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.KvCache.Streaming;

/// <summary>How sequences may be longer than the pool.</summary>
sealed record StreamingOptions
{
    /// <summary>Blocks outside the pool that there is to be room for.</summary>
    public required int Blocks { get; init; }

    /// <summary>Blocks that a sequence needs in the pool however long it is: those that a pass writes.</summary>
    public required int Resident { get; init; }

    /// <summary>The disk that takes what memory has no room for; null for none.</summary>
    public DiskTierOptions? Disk { get; init; }

    /// <summary>Most bytes of the ring through which blocks come from there; they are none of the pool's.</summary>
    public long RingBytes { get; init; }
}
