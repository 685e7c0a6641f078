using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Kvasir.RemoteTiers.Settings;
using Kvasir.RemoteTiers.Stores;
using StackExchange.Redis;

namespace Kvasir.RemoteTiers.Redis;

/// <summary>
/// A server, or a cluster of them, that speaks Redis's protocol. Small questions, large reads and large writes have a connection each: none
/// waits behind the others' bytes.
/// </summary>
sealed partial class RedisStore : IBlockStore
{
    const int MostNamesAtOnce = 1024, ScanPage = 1000;
    const int SmallTimeout = 1500, LargeTimeout = RedisSettings.LargeTimeout; // milliseconds

    readonly RemoteTierOptions _options;
    readonly ServerCertificate _certificate;
    readonly SemaphoreSlim _connecting = new(1);
    Connections? _connections;
    bool _disposed, _renewsAlways;

    public RedisStore(RemoteTierOptions options) =>
        (_options, _certificate) = (options, new ServerCertificate(options.Address, options.Time));

    sealed record Connections(ConnectionMultiplexer Small, ConnectionMultiplexer Read, ConnectionMultiplexer Write, bool IsCluster);

    Connections Connected => Volatile.Read(ref _connections) ?? throw new IOException("not connected");

    IDatabase Small => Database(Connected.Small);

    public async Task Probe()
    {
        if (Volatile.Read(ref _connections) is null)
            await Connect().ConfigureAwait(false);
        await Ask(() => Small.PingAsync()).ConfigureAwait(false);
    }

    public Task<StoreSize> Size() => Ask(async () =>
    {
        StoreSize size = default;
        foreach (IServer server in Primaries())
        {
            Dictionary<string, string> info = (await server.InfoAsync().ConfigureAwait(false))
                .SelectMany(section => section).DistinctBy(pair => pair.Key).ToDictionary(pair => pair.Key, pair => pair.Value);
            size = new StoreSize(size.CapacityBytes + Number("maxmemory"), size.UsedBytes + Number("used_memory"),
                size.Evictions + Number("evicted_keys"));

            long Number(string name) =>
                long.TryParse(info.GetValueOrDefault(name), NumberStyles.None, CultureInfo.InvariantCulture, out long number) ? number : 0;
        }
        return size;
    });

    public Task<IMemoryOwner<byte>?> Get(string name, long offset, int bytes) =>
        Ask(async () => (IMemoryOwner<byte>?)await Database(Connected.Read).StringGetLeaseAsync(name).ConfigureAwait(false));

    public Task<byte[]?[]> GetSmall(IReadOnlyList<string> names) => Ask(async () =>
    {
        if (Connected.IsCluster) // names of many slots in one command are refused there: as many commands in one go take one round trip too
            return (await Task.WhenAll(names.Select(name => Small.StringGetAsync(name))).ConfigureAwait(false)).Select(Bytes).ToArray();
        RedisValue[][] parts = await Task.WhenAll(names.Chunk(MostNamesAtOnce).Select(some => Small.StringGetAsync(Keys(some))))
            .ConfigureAwait(false);
        return [.. parts.SelectMany(part => part).Select(Bytes)];
    });

    public Task Put(string name, ReadOnlyMemory<byte> value, TimeSpan life) =>
        Ask(() => Database(Connected.Write).StringSetAsync(name, value, new Expiration(life)));

    public Task PutSmall(IReadOnlyList<(string Name, byte[] Value)> values, TimeSpan life) =>
        Ask(() => Task.WhenAll(values.Select(value => Small.StringSetAsync(value.Name, value.Value, new Expiration(life)))));

    public async Task Expire(IReadOnlyList<string> names, TimeSpan life, bool onlyLonger)
    {
        try
        {
            await Ask(() => Renew(names, life, onlyLonger && !_renewsAlways ? ExpireWhen.GreaterThanCurrentExpiry : ExpireWhen.Always))
                .ConfigureAwait(false);
        }
        catch (StoreRefusedException) when (onlyLonger && !_renewsAlways) // servers before Redis 7 do not know how
        {
            _renewsAlways = true;
            await Expire(names, life, onlyLonger).ConfigureAwait(false);
        }
    }

    public Task Delete(IReadOnlyList<string> names) => Ask(() => Connected.IsCluster
        ? Task.WhenAll(names.Select(name => Small.KeyDeleteAsync(name)))
        : (Task)Task.WhenAll(names.Chunk(MostNamesAtOnce).Select(some => Small.KeyDeleteAsync(Keys(some)))));

    public async IAsyncEnumerable<StoredName> Scan(string prefix)
    {
        foreach (IServer server in Primaries())
            await foreach (RedisKey key in server.KeysAsync(_options.Address.Database, prefix + "*", ScanPage).ConfigureAwait(false))
                yield return new StoredName(key.ToString(), Changed: null);
    }

    public void Dispose()
    {
        _connecting.Wait();
        _disposed = true;
        if (_connections is { } connections)
            Close(connections.Small, connections.Read, connections.Write);
        _connecting.Release();
    }

    async Task Connect()
    {
        await _connecting.WaitAsync().ConfigureAwait(false);
        List<ConnectionMultiplexer> open = [];
        try
        {
            if (_disposed || _connections is not null)
                return;
            await Knock().ConfigureAwait(false);
            foreach (int timeout in (int[])[SmallTimeout, LargeTimeout, LargeTimeout])
                open.Add(await Open(timeout).ConfigureAwait(false));
            bool isCluster = open[0].GetServers().Any(server => server.ServerType == ServerType.Cluster);
            Volatile.Write(ref _connections, new Connections(open[0], open[1], open[2], isCluster));
        }
        catch (Exception e)
        {
            Close([.. open]);
            throw new IOException(_certificate.Refused ?? Spoken(e), e);
        }
        finally
        {
            _connecting.Release();
        }
    }

    /// <summary>Whether anybody listens is known at once, and the library would find out for seconds.</summary>
    async Task Knock()
    {
        Exception? failure = null;
        foreach ((string host, int port) in _options.Address.Hosts)
            try
            {
                using TcpClient client = new();
                using CancellationTokenSource over = new(LargeTimeout);
                await client.ConnectAsync(host, port, over.Token).ConfigureAwait(false);
                return;
            }
            catch (Exception e)
            {
                failure = e is OperationCanceledException ? new TimeoutException($"no connection within {LargeTimeout / 1000} s") : e;
            }
        throw failure!;
    }

    Task<ConnectionMultiplexer> Open(int timeout) => ConnectionMultiplexer.ConnectAsync(RedisSettings.Of(_options, _certificate, timeout));

    async Task Renew(IReadOnlyList<string> names, TimeSpan life, ExpireWhen when) =>
        await Task.WhenAll(names.Select(name => Small.KeyExpireAsync(name, life, when))).ConfigureAwait(false);

    IEnumerable<IServer> Primaries() => Connected.Small.GetServers().Where(server => server is { IsConnected: true, IsReplica: false });

    static IDatabase Database(ConnectionMultiplexer connection) => connection.GetDatabase();

    async Task<T> Ask<T>(Func<Task<T>> question)
    {
        try
        {
            return await question().ConfigureAwait(false);
        }
        catch (RedisServerException e)
        {
            throw new StoreRefusedException(Spoken(e), e);
        }
        catch (Exception e) when (e is not IOException)
        {
            throw new IOException(e is RedisTimeoutException ? "no answer in time" : Spoken(e), e); // it tells the library's whole state
        }
    }

    Task<int> Ask(Func<Task> question) => Ask(async () =>
    {
        await question().ConfigureAwait(false);
        return 0;
    });

    /// <summary>What a server or the library says, without the password, whatever they make of it.</summary>
    string Spoken(Exception e)
    {
        string text = LibraryVersion().Replace(e.Message.Split('\n')[0], "").TrimEnd();
        return _options.PasswordInUse is { Length: > 0 } password ? text.Replace(password, "…", StringComparison.Ordinal) : text;
    }

    [GeneratedRegex(@"[;,] v: [0-9.]+")]
    private static partial Regex LibraryVersion();

    static RedisKey[] Keys(string[] names) => Array.ConvertAll(names, name => (RedisKey)name);

    static byte[]? Bytes(RedisValue value) => value;

    static void Close(params ReadOnlySpan<ConnectionMultiplexer> connections)
    {
        foreach (ConnectionMultiplexer connection in connections)
            connection.Dispose();
    }
}
