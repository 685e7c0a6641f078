using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache.Prefixes;

/// <summary>What the cache did for one request.</summary>
public sealed record CacheUse
{
    /// <summary>Tokens of the prompt.</summary>
    public required int Tokens { get; init; }

    /// <summary>Tokens that were in the pool already, those of the sequence itself included.</summary>
    public int Device { get; internal set; }

    /// <summary>Tokens that came from the host's memory.</summary>
    public int Host { get; internal set; }

    /// <summary>Tokens that came from the disk.</summary>
    public int Disk { get; internal set; }

    /// <summary>Tokens that came from a shared store.</summary>
    public int Remote { get; internal set; }

    /// <summary>All of them.</summary>
    public int Reused => Device + Host + Disk + Remote;

    /// <summary>Bytes that were brought into the pool.</summary>
    public long RestoredBytes { get; internal set; }

    /// <summary>How long that took, computing in the meantime or not.</summary>
    public TimeSpan RestoreTime { get; internal set; }

    /// <summary>About how long computing the reused tokens would have taken, less the time to restore them; zero while the speed is not known.</summary>
    public TimeSpan Saved { get; internal set; }

    /// <summary>What was not reused, and why.</summary>
    public IReadOnlyList<Miss> Misses => _misses;

    readonly List<Miss> _misses = [];

    internal void Add(Miss miss) => _misses.Add(miss);

    internal void Count(Tier tier, int tokens)
    {
        switch (tier)
        {
            case Tier.Device: Device += tokens; break;
            case Tier.Host: Host += tokens; break;
            case Tier.Disk: Disk += tokens; break;
            default: Remote += tokens; break;
        }
    }
}
