using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Eviction;

/// <summary>
/// In which order a tier gives its blocks up. A policy numbers blocks by their slots. Whoever uses a chain of blocks reports them from the
/// deepest to the first, so that a policy which goes by time gives up leaves before what they stand on. Not thread-safe.
/// </summary>
public interface IEvictionPolicy
{
    /// <summary>Name as users and metrics see it, such as <c>lru</c>.</summary>
    string Name { get; }

    /// <summary>
    /// Says where keys and chains of the blocks are found, before any comes. A block is there before it is added, and until it has gone.
    /// </summary>
    void Attach(SlotIndex blocks) { }

    /// <summary>A block came into a slot.</summary>
    void Add(int slot, BlockKey key);

    /// <summary>A block was used again.</summary>
    void Use(int slot);

    /// <summary>A block may not be evicted from now on. Held once at a time.</summary>
    void Hold(int slot);

    /// <summary>A held block may be evicted again.</summary>
    /// <param name="slot">Its slot.</param>
    /// <param name="wasUsed">Whether it was in use until now, or only read on its way to another tier.</param>
    void Release(int slot, bool wasUsed);

    /// <summary>A block, held or not, left its slot without being evicted.</summary>
    void Remove(int slot);

    /// <summary>Takes out the block that goes next and returns its slot; -1 when all are held or there is none.</summary>
    int Evict();
}
