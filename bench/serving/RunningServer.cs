using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;

namespace Kvasir.Serving;

/// <summary>A server that answers, for one round.</summary>
sealed class RunningServer : IDisposable
{
    static readonly TimeSpan s_poll = TimeSpan.FromMilliseconds(50);

    readonly ServerSpec _spec;
    readonly ServerProcess? _process;

    RunningServer(ServerSpec spec)
    {
        _spec = spec;
        int port = spec.Address is null ? FreePort() : 0;
        _process = spec.Address is null ? new ServerProcess(spec, port) : null;
        // An answer that is left in mid-stream shall end its connection, not be read to its end in the background.
        SocketsHttpHandler handler = new() { UseProxy = false, MaxConnectionsPerServer = int.MaxValue, MaxResponseDrainSize = 0 };
        Http = new HttpClient(handler)
        {
            BaseAddress = spec.Address ?? new Uri($"http://127.0.0.1:{port}/"), Timeout = Timeout.InfiniteTimeSpan,
        };
    }

    /// <summary>Speaks to the server, over as many connections as there are requests at once.</summary>
    public HttpClient Http { get; }

    /// <summary>The model to ask for.</summary>
    public string Model { get; private set; } = "";

    /// <summary>What its processes use; null for one that was not started here.</summary>
    public ProcessUsage? Usage() => _process?.Usage();

    /// <summary>Whether its process has ended, which it should not.</summary>
    public bool HasExited => _process is { HasExited: true };

    /// <summary>Starts the server, waits until it is ready, and has it answer something that nobody will ask again.</summary>
    /// <exception cref="ServingException">It ends, does not become ready in time, or answers with an error.</exception>
    public static async Task<RunningServer> StartAsync(ServerSpec spec, string? model, CancellationToken cancellation)
    {
        RunningServer server = new(spec);
        try
        {
            await server.BecomeReadyAsync(cancellation);
            server.Model = model ?? await server.FirstModelAsync(cancellation);
            await server.WarmAsync(cancellation);
            return server;
        }
        catch
        {
            server.Dispose();
            throw;
        }
    }

    public void Dispose()
    {
        Http.Dispose();
        _process?.Dispose();
    }

    async Task BecomeReadyAsync(CancellationToken cancellation)
    {
        while (!await IsReadyAsync(cancellation))
        {
            if (HasExited)
                throw new ServingException($"--server {_spec.Name}: it ended before it was ready; its last words: {_process!.LastLines}");
            await Task.Delay(s_poll, cancellation);
        }
    }

    /// <summary>Not found is an answer as well: not every server has the path.</summary>
    async Task<bool> IsReadyAsync(CancellationToken cancellation)
    {
        try
        {
            using HttpResponseMessage response = await Http.GetAsync("health", cancellation);
            return response.IsSuccessStatusCode || response.StatusCode == HttpStatusCode.NotFound;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    async Task<string> FirstModelAsync(CancellationToken cancellation)
    {
        try
        {
            using JsonDocument models = JsonDocument.Parse(await Http.GetStringAsync("v1/models", cancellation));
            return models.RootElement.GetProperty("data")[0].GetProperty("id").GetString() ?? "default";
        }
        catch (Exception e) when (e is HttpRequestException or JsonException or InvalidOperationException
            or KeyNotFoundException or IndexOutOfRangeException)
        {
            return "default"; // many servers take any name
        }
    }

    async Task WarmAsync(CancellationToken cancellation)
    {
        Answer answer = await new ChatClient(Http, Model, maxTokens: 4).AskAsync([new("user", "Hello.")], cancellation: cancellation);
        cancellation.ThrowIfCancellationRequested();
        if (answer.Error is { } error)
            throw new ServingException($"--server {_spec.Name}: its first answer failed: {error}");
    }

    static int FreePort()
    {
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
