using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Kvasir.Serving;

/// <summary>
/// Connections that ask for the server's health once and then stay open: what do they cost, and does the server still answer others?
/// </summary>
static class IdleConnections
{
    const int AtOnce = 50;
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(10);

    public static async Task<Outcome> RunAsync(RunningServer server, int count, CancellationToken limit)
    {
        long? before = server.Usage()?.ResidentBytes;
        TcpClient?[] connections = new TcpClient?[count];
        try
        {
            await Parallel.ForEachAsync(Enumerable.Range(0, count),
                new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = limit },
                async (i, cancellation) => connections[i] = await OpenAsync(server.Http.BaseAddress!, cancellation));
            (double? healthMs, long? after) = (await HealthAsync(server.Http, limit), server.Usage()?.ResidentBytes);
            return Found(before, after, connections, healthMs);
        }
        finally
        {
            foreach (TcpClient? connection in connections)
                connection?.Dispose();
        }
    }

    static Outcome Found(long? before, long? after, TcpClient?[] connections, double? healthMs)
    {
        int unanswered = connections.Count(connection => connection is null);
        Dictionary<string, int> problems = [];
        if (unanswered > 0)
            problems["a connection got no answer"] = unanswered;
        if (healthMs is null)
            problems["no answer on a new connection beside the idle ones"] = 1;
        return new Outcome(
        [
            new("rss_before_mib", "RSS before, MiB", before / (double)(1 << 20), 1),
            new("rss_idle_mib", "RSS with idle connections, MiB", after / (double)(1 << 20), 1),
            new("kib_per_connection", "KiB a connection", (after - before) / 1024.0 / connections.Length, 1),
            new("answered", "connections answered", connections.Length - unanswered),
            new("still_open", "connections still open", connections.Count(IsOpen)),
            new("health_ms", "/health beside them, ms", healthMs, 1),
        ], problems);
    }

    /// <summary>A connection whose request was answered; null if it was not in time.</summary>
    static async Task<TcpClient?> OpenAsync(Uri address, CancellationToken cancellation)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        patience.CancelAfter(s_patience);
        TcpClient client = new();
        try
        {
            await client.ConnectAsync(address.Host, address.Port, patience.Token);
            NetworkStream stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes(
                $"GET /health HTTP/1.1\r\nHost: {address.Authority}\r\nConnection: keep-alive\r\n\r\n"), patience.Token);
            if (await stream.ReadAsync(new byte[4096], patience.Token) > 0)
                return client;
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException
            && !cancellation.IsCancellationRequested)
        {
            // Counted by the caller.
        }
        client.Dispose();
        return null;
    }

    /// <summary>Whether the server has not closed it. Bytes of the first answer that are still unread do not count as an end.</summary>
    static bool IsOpen(TcpClient? connection) =>
        connection is { Client: var socket } && !(socket.Poll(0, SelectMode.SelectRead) && socket.Available == 0);

    /// <summary>Milliseconds until a new request is answered; null if it is not in time.</summary>
    static async Task<double?> HealthAsync(HttpClient http, CancellationToken limit)
    {
        using CancellationTokenSource patience = CancellationTokenSource.CreateLinkedTokenSource(limit);
        patience.CancelAfter(s_patience);
        long start = Stopwatch.GetTimestamp();
        try
        {
            using HttpRequestMessage request = new(HttpMethod.Get, "health");
            request.Headers.ConnectionClose = true;
            using HttpResponseMessage response = await http.SendAsync(request, patience.Token);
            return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException && !limit.IsCancellationRequested)
        {
            return null;
        }
    }
}
