using System.Globalization;
using System.Net;
using System.Net.Sockets;
using Garnet.server;
using Garnet.server.Auth.Settings;
using Tsavorite.core;

namespace Kvasir.Store;

/// <summary>A store in this process that speaks Redis's protocol and in which many machines share keys and values.</summary>
public sealed class StoreServer : IDisposable
{
    const int MostConnections = 4096, CompactionSeconds = 1, ExpirySeconds = 60;

    readonly GuardedServer _server;
    readonly StoreDirectory? _directory;

    /// <summary>Makes a store that does not listen yet.</summary>
    /// <exception cref="ArgumentException">An option makes no sense, or the address needs a password.</exception>
    /// <exception cref="IOException">The port or the directory cannot be had; the message names it.</exception>
    public StoreServer(StoreOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Check();
        Endpoint = FreeEndpoint(options);
        try
        {
            _directory = options.Directory is { } path ? new StoreDirectory(path, options.DiskBytes) : null;
            _server = new GuardedServer(Settings(options, StoreLimits.Of(options)));
        }
        catch
        {
            _directory?.Dispose();
            throw;
        }
    }

    /// <summary>Where it listens.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>Begins to listen.</summary>
    /// <exception cref="IOException">Somebody else took the port meanwhile.</exception>
    public void Start()
    {
        try
        {
            _server.Start();
        }
        catch (Exception e) when (e is not IOException)
        {
            throw new IOException($"{Endpoint}: {e.Message}", e);
        }
    }

    /// <summary>Ends it, and with it what it holds.</summary>
    public void Dispose()
    {
        _server.Dispose();
        _directory?.Dispose();
    }

    /// <summary>
    /// Where a store can listen. The server itself would share a port with others that listen there, and clients would find now one, now
    /// the other.
    /// </summary>
    static IPEndPoint FreeEndpoint(StoreOptions options)
    {
        try
        {
            using TcpListener listener = new(options.Address, options.Port);
            listener.Start();
            return (IPEndPoint)listener.LocalEndpoint;
        }
        catch (SocketException e)
        {
            throw new IOException($"cannot listen on {new IPEndPoint(options.Address, options.Port)}: {e.Message}", e);
        }
    }

    GarnetServerOptions Settings(StoreOptions options, StoreLimits limits)
    {
        GarnetServerOptions settings = new()
        {
            EndPoints = [Endpoint], QuietMode = true, NetworkConnectionLimit = MostConnections,
            AuthSettings = new AclAuthenticationPasswordSettings(null, options.Password ?? ""),
            DisablePubSub = true, DisableObjects = true, MaxDatabases = 1, // each would take as much as the first
            LogMemorySize = Text(limits.Log), PageSize = Text(limits.Page), MaxInlineValueSize = Text(limits.Inline),
            UseNativeAllocator = true, // and inline values: pages that are forgotten go back to the system, not to a collector
            IndexMemorySize = Text(limits.Index), BufferPoolMemoryBudget = Text(limits.Buffers / 2),
            NetworkBufferMemoryBudget = Text(limits.Buffers / 2), NetworkBufferPoolSize = Text(limits.Buffers / 2),
            ExpiredKeyDeletionScanFrequencySecs = ExpirySeconds,
            DeviceType = DeviceType.RandomAccess, // the default ends the process where libaio is missing
        };
        if (_directory is null)
            return settings;
        settings.EnableStorageTier = true;
        settings.LogDir = settings.CheckpointDir = _directory.Path;
        (settings.SegmentSize, settings.ObjectLogSegmentSize) = (Text(limits.Segment), Text(limits.Segment));
        (settings.CompactionType, settings.CompactionForceDelete) = (LogCompactionType.Shift, true); // the oldest is forgotten
        (settings.CompactionFrequencySecs, settings.CompactionMaxSegments) = (CompactionSeconds, limits.Segments);
        return settings;
    }

    static string Text(long bytes) => bytes.ToString(CultureInfo.InvariantCulture);
}
