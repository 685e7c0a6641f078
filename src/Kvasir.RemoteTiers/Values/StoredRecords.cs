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

    /// <summary>A large value is asked for; whoever gets it opens it with <see cref="Open(string, Span{byte}, out ReadOnlySpan{byte})"/>.</summary>
    public Task<IMemoryOwner<byte>?> Get(string name) => store.Get(name);

    /// <summary>The content of a large value, opened in place.</summary>
    public ReadOutcome Open(string name, Span<byte> value, out ReadOnlySpan<byte> content)
    {
        ReadOutcome outcome = seal?.Open(name, value) ?? ReadOutcome.Ok;
        content = outcome == ReadOutcome.Ok ? value[_overhead..] : [];
        return outcome;
    }

    /// <summary>Writes a large value.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="buffer">Room for it and for the seal, of whoever calls, until the task is over.</param>
    /// <param name="bytes">Its size.</param>
    /// <param name="life">How long it lives.</param>
    /// <param name="fill">Writes the content.</param>
    public Task Put(string name, byte[] buffer, int bytes, TimeSpan life, SpanAction<byte, object?> fill)
    {
        fill(buffer.AsSpan(_overhead, bytes), null);
        seal?.Close(name, buffer.AsSpan(0, _overhead + bytes));
        return store.Put(name, buffer.AsMemory(0, _overhead + bytes), life);
    }

    /// <summary>Bytes of a value in the store.</summary>
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
