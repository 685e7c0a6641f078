using System.Buffers;
using System.Collections.Concurrent;
using Kvasir.RemoteTiers.Stores;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>A store that is a dictionary.</summary>
sealed class MemoryStore : IBlockStore
{
    readonly ConcurrentDictionary<string, byte[]> _values = [];

    /// <summary>What is stored under a name.</summary>
    public byte[] Copy(string name) => (byte[])_values[name].Clone();

    public Task Probe() => Task.CompletedTask;

    public Task<StoreSize> Size() => Task.FromResult(default(StoreSize));

    public Task<IMemoryOwner<byte>?> Get(string name, long offset, int bytes) => throw new NotSupportedException();

    public Task<byte[]?[]> GetSmall(IReadOnlyList<string> names) =>
        Task.FromResult<byte[]?[]>([.. names.Select(name => _values.GetValueOrDefault(name))]);

    public Task Put(string name, ReadOnlyMemory<byte> value, TimeSpan life) =>
        PutSmall([(name, value.ToArray())], life);

    public Task PutSmall(IReadOnlyList<(string Name, byte[] Value)> values, TimeSpan life)
    {
        foreach ((string name, byte[] value) in values)
            _values[name] = value;
        return Task.CompletedTask;
    }

    public Task Expire(IReadOnlyList<string> names, TimeSpan life, bool onlyLonger) => Task.CompletedTask;

    public Task Delete(IReadOnlyList<string> names) => throw new NotSupportedException();

    public IAsyncEnumerable<StoredName> Scan(string prefix) => throw new NotSupportedException();

    public void Dispose() { }
}
