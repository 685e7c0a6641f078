using System.Buffers;
using System.Collections.Concurrent;
using Kvasir.RemoteTiers.Stores;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>A store that is a dictionary, and knows what it was asked.</summary>
sealed class MemoryStore : IBlockStore
{
    readonly ConcurrentDictionary<string, byte[]> _values = [];
    ConcurrentQueue<Question> _questions = [];

    /// <summary>The names that are in it.</summary>
    public string[] Names => [.. _values.Keys];

    /// <summary>What is stored under a name.</summary>
    public byte[] Copy(string name) => (byte[])_values[name].Clone();

    /// <summary>Stores what its owner likes.</summary>
    public void Set(string name, byte[] value) => _values[name] = value;

    /// <summary>What it was asked since the last time, in this order.</summary>
    public Question[] TakeQuestions() => [.. Interlocked.Exchange(ref _questions, [])];

    public Task Probe() => Task.CompletedTask;

    public Task<StoreSize> Size() => Task.FromResult(default(StoreSize));

    public Task<IMemoryOwner<byte>?> Get(string name, long offset, int bytes) => Task.FromResult<IMemoryOwner<byte>?>(
        GetNow([name])[0] is { } value ? new Part(value.AsMemory((int)offset..)) : null);

    public Task<byte[]?[]> GetSmall(IReadOnlyList<string> names) => Task.FromResult(GetNow(names));

    public Task Put(string name, ReadOnlyMemory<byte> value, TimeSpan life) =>
        PutSmall([(name, value.ToArray())], life);

    public Task PutSmall(IReadOnlyList<(string Name, byte[] Value)> values, TimeSpan life)
    {
        _questions.Enqueue(new Question([.. values.Select(value => value.Name)], values.Sum(value => value.Value.Length), 0));
        foreach ((string name, byte[] value) in values)
            _values[name] = value;
        return Task.CompletedTask;
    }

    public Task Expire(IReadOnlyList<string> names, TimeSpan life, bool onlyLonger) => Task.CompletedTask;

    public Task Delete(IReadOnlyList<string> names)
    {
        foreach (string name in names)
            _values.TryRemove(name, out _);
        return Task.CompletedTask;
    }

    public IAsyncEnumerable<StoredName> Scan(string prefix) => throw new NotSupportedException();

    public void Dispose() { }

    byte[]?[] GetNow(IReadOnlyList<string> names)
    {
        byte[]?[] values = [.. names.Select(name => (byte[]?)_values.GetValueOrDefault(name)?.Clone())]; // they are opened in place
        _questions.Enqueue(new Question(names, 0, values.Sum(value => value?.Length ?? 0)));
        return values;
    }

    /// <summary>What went over the wire once.</summary>
    /// <param name="Names">The names that it was about.</param>
    /// <param name="Written">Bytes of values there.</param>
    /// <param name="Read">Bytes of values back.</param>
    public sealed record Question(IReadOnlyList<string> Names, int Written, int Read);

    sealed record Part(Memory<byte> Memory) : IMemoryOwner<byte>
    {
        public void Dispose() { }
    }
}
