using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// A tier that outlives the process: blocks can be kept there, and it remembers what was counted and whose blocks it has.
/// </summary>
public interface IDurableTier : ITier
{
    /// <summary>Keeps blocks that are there from being evicted until a time; returns how many those are.</summary>
    /// <exception cref="IOException">They cannot be pinned: too many bytes are already, or the tier cannot be written.</exception>
    int Pin(IReadOnlyCollection<BlockKey> keys, string owner, DateTimeOffset until);

    /// <summary>Lets go of all that an owner has pinned; returns how many blocks.</summary>
    /// <exception cref="IOException">The tier cannot be written.</exception>
    int Unpin(string owner);

    /// <summary>Lets go of blocks, whoever has pinned them; returns how many were.</summary>
    /// <exception cref="IOException">The tier cannot be written.</exception>
    int Unpin(IReadOnlyCollection<BlockKey> keys);

    /// <summary>Remembers that sequences begin with a root, so that <see cref="Elsewhere"/> can tell others. Returns at once.</summary>
    void AddRoot(BlockKey root);

    /// <summary>For whom else there are blocks that begin like a prompt; null when that is not known.</summary>
    /// <param name="root">The prompt's own root.</param>
    /// <param name="firstBlock">The tokens of its first block.</param>
    ForeignBlock? Elsewhere(BlockKey root, ReadOnlySpan<int> firstBlock);

    /// <summary>Adds to a counter. Returns at once.</summary>
    void Count(CounterName name, long by);

    /// <summary>A counter, as far as it was saved.</summary>
    long Counted(CounterName name);
}
