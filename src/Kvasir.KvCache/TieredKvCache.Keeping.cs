using System.Runtime.ExceptionServices;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.KvCache;

/// <content>Blocks that are to stay: written to the tiers that outlive the process, and pinned there.</content>
public sealed partial class TieredKvCache
{
    /// <summary>
    /// Asks for a block that memory has to be written to the tiers that outlive the process, unless it is there; returns at once.
    /// </summary>
    public void Keep(BlockKey key)
    {
        foreach (WriteBack writeBack in _writeBacks)
            if (writeBack.Target is IDurableTier { CanWrite: true })
                writeBack.Add(key);
    }

    /// <summary>Writes blocks that memory has to all <see cref="DurableTiers"/>, and waits until they are there, or dropped.</summary>
    /// <returns>False when the time was over before.</returns>
    public bool Keep(IReadOnlyList<BlockKey> keys, TimeSpan patience)
    {
        ArgumentNullException.ThrowIfNull(keys);
        foreach (BlockKey key in keys.Reverse())
            Keep(key);
        foreach (BlockKey key in LastWindow(keys))
            Windows!.Keep(key);
        return Flush(patience);
    }

    /// <summary>Writes blocks that memory has to all <see cref="DurableTiers"/>, and keeps them from being evicted until a time.</summary>
    /// <returns>How many are kept, in the tier that keeps most of them.</returns>
    /// <exception cref="IOException">They cannot be pinned anywhere: too many bytes are already, or the tier cannot be written.</exception>
    public int Pin(IReadOnlyList<BlockKey> keys, string owner, DateTimeOffset until, TimeSpan patience)
    {
        Keep(keys, patience);
        if (LastWindow(keys) is { Count: > 0 } window)
            Windows!.MostOfDurable(tier => tier.Pin(window, owner, until));
        return MostOfDurable(tier => tier.Pin(keys, owner, until));
    }

    /// <summary>Lets go of all that an owner has pinned; returns how many blocks, in the tier that had most of them.</summary>
    /// <exception cref="IOException">No tier can be written.</exception>
    public int Unpin(string owner)
    {
        Windows?.Unpin(owner);
        return MostOfDurable(tier => tier.Unpin(owner));
    }

    /// <summary>Lets go of blocks, whoever has pinned them; returns how many were, in the tier that had most of them.</summary>
    /// <exception cref="IOException">No tier can be written.</exception>
    public int Unpin(IReadOnlyCollection<BlockKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        Windows?.Unpin(WindowKeys(keys));
        return MostOfDurable(tier => tier.Unpin(keys));
    }

    int MostOfDurable(Func<IDurableTier, int> work)
    {
        (int most, ExceptionDispatchInfo? failure) = (0, null);
        foreach (IDurableTier tier in DurableTiers)
            try
            {
                most = Math.Max(most, work(tier));
            }
            catch (IOException e)
            {
                failure ??= ExceptionDispatchInfo.Capture(e);
            }
        if (most == 0)
            failure?.Throw();
        return most;
    }
}
