using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// A place behind the pool where blocks live: the host's memory, a disk, a store. Nothing that goes wrong with one is an exception,
/// unless a method says so: what cannot be found or read is a miss, what cannot be written is dropped, and both are counted.
/// Thread-safe. The thread that serves everybody calls <see cref="Find"/> and <see cref="Load"/>, which return at once; the others may
/// take as long as the tier takes.
/// </summary>
public interface ITier : IDisposable
{
    /// <summary>Which tier it is.</summary>
    Tier Tier { get; }

    /// <summary>Whether blocks come back as they were computed.</summary>
    bool IsLossless { get; }

    /// <summary>
    /// Whether to ask takes a way that others share, and perhaps longer than to compute: then nobody waits for the answer, and what is
    /// found in the end is used from there on.
    /// </summary>
    bool IsFar { get; }

    /// <summary>Whether blocks can be written; if not, <see cref="Problem"/> says why.</summary>
    bool CanWrite { get; }

    /// <summary>Which blocks are written to it.</summary>
    Admission Admission { get; }

    /// <summary>What went wrong last, in one line; null when nothing did.</summary>
    string? Problem { get; }

    /// <summary>What it holds and may hold.</summary>
    TierContent Content();

    /// <summary>Finds what it has of a prompt. Completes at once where that needs no waiting.</summary>
    ValueTask<TierFind> Find(PrefixQuery query, CancellationToken cancellation);

    /// <summary>Begins to bring blocks that were found, in the order of the load's groups, and reports every piece of it.</summary>
    void Load(BlockLoad load);

    /// <summary>Writes blocks that are not there; returns how many it has written.</summary>
    /// <param name="blocks">The blocks, those of a chain in their order: the last gives way first.</param>
    int Write(ReadOnlySpan<BlockWrite> blocks);

    /// <summary>Whether a block is there.</summary>
    bool Contains(BlockKey key);

    /// <summary>A block was used. Report chains deepest first.</summary>
    void Touch(BlockKey key);

    /// <summary>
    /// A right to read a block where it lies, in the host's memory; null where blocks do not, and when this one is not there.
    /// </summary>
    TierLease? TryRead(BlockKey key);

    /// <summary>Evicts blocks now, but none that somebody holds or keeps.</summary>
    /// <returns>How many went, and how many that are there stayed.</returns>
    /// <exception cref="IOException">The tier cannot be written.</exception>
    (int Evicted, int Kept) Evict(IReadOnlyCollection<BlockKey> keys);

    /// <summary>The blocks of this cache's model that were used last, at most so many.</summary>
    IReadOnlyList<TierBlock> List(int most);

    /// <summary>What is known of a block; null when it is not there.</summary>
    TierBlock? Describe(BlockKey key);

    /// <summary>When blocks were evicted, of those of which that is remembered.</summary>
    IReadOnlyDictionary<BlockKey, DateTimeOffset> FindEvictions(IReadOnlyCollection<BlockKey> keys);
}
