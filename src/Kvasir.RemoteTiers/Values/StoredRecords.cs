using System.Buffers;
using Kvasir.KvCache.Blocks;
using Kvasir.RemoteTiers.Stores;

namespace Kvasir.RemoteTiers.Values;

/// <summary>What goes into a store and comes out of it, sealed if there is a seal.</summary>
sealed class StoredRecords(IBlockStore store, Seal? seal)
{
    readonly int _overhead = seal is null ? 0 : Seal.Overhead;

    /// <summary>Small values; null for those that are not there, and for those that nobody sealed who should have.</summary>
    public async Task<ArraySegment<byte>?[]> Get(IReadOnlyList<string> names)
    {
        byte[]?[] values = await GetClosed(names).ConfigureAwait(false);
        return [.. names.Zip(values, (name, value) => Open(name, value))];
    }

    /// <summary>Small values for <see cref="Open(string, byte[])"/>.</summary>
    public Task<byte[]?[]> GetClosed(IReadOnlyList<string> names) => store.GetSmall(names);

    /// <summary>A small value; null when it is not there, or when nobody sealed it who should have.</summary>
    public ArraySegment<byte>? Open(string name, byte[]? value) =>
        value is not null && (seal is null || seal.Open(name, value) == ReadOutcome.Ok)
            ? new ArraySegment<byte>(value, _overhead, value.Length - _overhead)
            : default(ArraySegment<byte>?);

    /// <summary>Writes small values.</summary>
    public Task Put(IEnumerable<(string Name, byte[] Value)> values, TimeSpan life) => store.PutSmall([.. values.Select(Closed)], life);

    /// <summary>A part of a large value, still closed.</summary>
    public Task<IMemoryOwner<byte>?> Get(string name, long offset, int bytes) => store.Get(name, offset, bytes);

    /// <summary>What was closed under a name, opened in place.</summary>
    public ReadOutcome Open(string name, Span<byte> closed, out ReadOnlySpan<byte> content)
    {
        ReadOutcome outcome = seal?.Open(name, closed) ?? ReadOutcome.Ok;
        content = outcome == ReadOutcome.Ok ? closed[_overhead..] : [];
        return outcome;
    }

    /// <summary>Writes content to where it is stored, and closes it under a name.</summary>
    public void Close(string name, Span<byte> stored, SpanAction<byte, object?> fill)
    {
        fill(stored[_overhead..], null);
        seal?.Close(name, stored);
    }

    /// <summary>Writes a large value of closed parts, which must stay as it is until the task is over.</summary>
    public Task Put(string name, ReadOnlyMemory<byte> closed, TimeSpan life) => store.Put(name, closed, life);

    /// <summary>Bytes of content in the store.</summary>
    public int Stored(int bytes) => _overhead + bytes;

    (string, byte[]) Closed((string Name, byte[] Value) value)
    {
        if (seal is null)
            return value;
        byte[] bytes = new byte[_overhead + value.Value.Length];
        value.Value.CopyTo(bytes.AsSpan(_overhead));
        seal.Close(value.Name, bytes);
        return (value.Name, bytes);
    }
}
