using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.RemoteTiers;

/// <summary>
/// What its owner may decide: which blocks stay and which go. Pins hold against time and against everybody who evicts here; when the store
/// itself is full, it evicts as it was told to. Two who pin the same block at the same moment may lose one of the pins.
/// </summary>
public sealed partial class RemoteTier
{
    const int MostAtOnce = 1024;

    /// <inheritdoc/>
    /// <remarks>The bytes of a value go with the last of its blocks, or in their time.</remarks>
    public (int Evicted, int Kept) Evict(IReadOnlyCollection<BlockKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        return keys.Count == 0 || !CanWrite ? (0, 0) : Answered(async () =>
        {
            (int evicted, int kept) = (0, 0);
            foreach (BlockKey[] some in keys.Distinct().Chunk(MostAtOnce))
            {
                (int gone, int stayed) = await EvictSome(some).ConfigureAwait(false);
                (evicted, kept) = (evicted + gone, kept + stayed);
            }
            return (evicted, kept);
        });
    }

    async Task<(int Evicted, int Kept)> EvictSome(BlockKey[] keys)
    {
        StoredBlock[] there = await _index.Present(keys).ConfigureAwait(false);
        BlockKey[] found = [.. there.Select(block => block.Key).Distinct()];
        Pins[] pins = await _pins.Of(found).ConfigureAwait(false);
        HashSet<BlockKey> gone = [.. found.Where((_, i) => pins[i].Until(Now) is null)];
        await _index.Remove([.. there.Where(block => gone.Contains(block.Key))]).ConfigureAwait(false);
        foreach (BlockKey key in gone)
            _known.Remove(key);
        return (gone.Count, found.Length - gone.Count);
    }

    /// <inheritdoc/>
    public int Pin(IReadOnlyCollection<BlockKey> keys, string owner, DateTimeOffset until)
    {
        ArgumentException.ThrowIfNullOrEmpty(owner);
        return until <= Now ? 0 : Answered(() => _pins.Pin(keys, owner, until));
    }

    /// <inheritdoc/>
    public int Unpin(string owner) => Answered(() => _pins.Unpin(owner));

    /// <inheritdoc/>
    public int Unpin(IReadOnlyCollection<BlockKey> keys) => Answered(() => _pins.Unpin([.. keys]));

    T Answered<T>(Func<Task<T>> question)
    {
        if (!Task.Run(() => IsThere().AsTask()).GetAwaiter().GetResult())
            throw new IOException(Problem ?? $"{_options.Address}: not connected yet");
        try
        {
            return Task.Run(question).GetAwaiter().GetResult();
        }
        catch (Exception e)
        {
            _health.Failed(e);
            throw new IOException($"{_options.Address}: {e.Message}", e);
        }
    }
}
