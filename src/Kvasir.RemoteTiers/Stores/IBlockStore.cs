using System.Buffers;

namespace Kvasir.RemoteTiers.Stores;

/// <summary>
/// What a tier needs of a store: values under names, written whole or not at all, which the store may forget at any time. Methods fail with
/// a <see cref="StoreRefusedException"/> when the store answers and does not do it, and with any other exception when it does not answer.
/// </summary>
interface IBlockStore : IDisposable
{
    /// <summary>Connects if need be, and asks for a sign of life.</summary>
    Task Probe();

    /// <summary>How large the store is, as far as it says so.</summary>
    Task<StoreSize> Size();

    /// <summary>A part of a large value; null when there is no such value. Whoever gets it owns it. It may have another length.</summary>
    /// <param name="name">The value's name.</param>
    /// <param name="offset">Where it begins; 0 always of values that were written to be read as a whole.</param>
    /// <param name="bytes">How long it should be.</param>
    Task<IMemoryOwner<byte>?> Get(string name, long offset, int bytes);

    /// <summary>Small values in about the time of one round trip, null where there is none.</summary>
    Task<byte[]?[]> GetSmall(IReadOnlyList<string> names);

    /// <summary>Writes a large value, which must stay as it is until the task is over.</summary>
    Task Put(string name, ReadOnlyMemory<byte> value, TimeSpan life);

    /// <summary>Writes small values.</summary>
    Task PutSmall(IReadOnlyList<(string Name, byte[] Value)> values, TimeSpan life);

    /// <summary>Sets how long values live from now on.</summary>
    /// <param name="names">Their names; those that are not there stay so.</param>
    /// <param name="life">How long.</param>
    /// <param name="onlyLonger">Whether values that would live longer keep that.</param>
    Task Expire(IReadOnlyList<string> names, TimeSpan life, bool onlyLonger);

    /// <summary>Removes values.</summary>
    Task Delete(IReadOnlyList<string> names);

    /// <summary>Names that begin so, in no order; some may come twice.</summary>
    IAsyncEnumerable<StoredName> Scan(string prefix);
}

/// <summary>A name in a store.</summary>
/// <param name="Name">The name.</param>
/// <param name="Changed">When its value was written or renewed; null when the store does not say.</param>
readonly record struct StoredName(string Name, DateTimeOffset? Changed);

/// <summary>Bytes of a store.</summary>
/// <param name="CapacityBytes">That it may hold; 0 when it does not say.</param>
/// <param name="UsedBytes">That it holds, of everybody.</param>
/// <param name="Evictions">Values that had to give way.</param>
readonly record struct StoreSize(long CapacityBytes, long UsedBytes, long Evictions);

/// <summary>The store answers, and does not do what it was asked: it is full, or may not be written.</summary>
sealed class StoreRefusedException(string message, Exception inner) : IOException(message, inner);
