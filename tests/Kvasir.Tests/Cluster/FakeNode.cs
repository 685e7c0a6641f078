using System.Net;
using System.Net.Sockets;
using System.Text;
using Kvasir.Cluster.Events;

namespace Kvasir.Tests.Cluster;

/// <summary>Speaks as a node does, says what a test wants, and answers as badly as it is told to.</summary>
sealed class FakeNode : IDisposable
{
    readonly TcpListener _listener;
    readonly CancellationTokenSource _over = new();
    readonly SemaphoreSlim _greeted = new(0);
    readonly Lock _gate = new();
    NetworkStream? _events;

    public FakeNode(int port = 0)
    {
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        _ = Accept();
        _ = Pulse();
    }

    public string Address => $"http://{_listener.LocalEndpoint}";

    public int Version { get; init; } = NodeEvents.Version;

    public string Fingerprint { get; init; } = "00";

    public string Incarnation { get; set; } = $"{Guid.NewGuid():N}"[..16];

    /// <summary>How requests end: a status, <c>drop</c>, <c>hang</c>, or <c>cut</c> after some bytes.</summary>
    public string Answer { get; init; } = "503";

    /// <summary>Whether it says nothing more, and greets nobody.</summary>
    public volatile bool IsSilent;

    public int Connections { get; private set; }

    public int Hangs { get; private set; }

    /// <summary>Says something to the last who listened, as soon as somebody does.</summary>
    public async Task Say(string kind, string data)
    {
        await _greeted.WaitAsync(TestContext.Current.CancellationToken);
        _greeted.Release();
        Write(kind, data);
    }

    /// <summary>Ends the connection.</summary>
    public void Cut()
    {
        lock (_gate)
            _events?.Dispose();
    }

    public void Dispose()
    {
        _over.Cancel();
        _listener.Stop();
        Cut();
    }

    async Task Accept()
    {
        try
        {
            while (true)
                _ = Serve(await _listener.AcceptTcpClientAsync(_over.Token));
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    async Task Pulse()
    {
        while (!_over.IsCancellationRequested)
        {
            if (!IsSilent)
                Write(NodeEvents.Load, """{"running":0,"waiting":0,"queued_tokens":0,"prefill_tokens_per_s":100}""");
            await Task.Delay(100).ConfigureAwait(false);
        }
    }

    void Write(string kind, string data)
    {
        lock (_gate)
            try
            {
                _events?.Write(Encoding.UTF8.GetBytes($"event: {kind}\ndata: {data}\n\n"));
            }
            catch (Exception e) when (e is IOException or ObjectDisposedException)
            {
                _events = null;
            }
    }

    async Task Serve(TcpClient client)
    {
        try
        {
            NetworkStream stream = client.GetStream();
            byte[] head = new byte[1 << 16];
            int length = await stream.ReadAsync(head, _over.Token);
            if (Encoding.ASCII.GetString(head, 0, length).Contains(NodeEvents.Path, StringComparison.Ordinal))
                await Greet(stream);
            else
                await Refuse(client, stream);
        }
        catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
        {
        }
    }

    async Task Greet(NetworkStream stream)
    {
        while (IsSilent)
            await Task.Delay(20, _over.Token);
        await stream.WriteAsync(Encoding.ASCII.GetBytes("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n"
            + $"event: hello\ndata: {{\"version\":{Version},\"node\":\"fake-{((IPEndPoint)_listener.LocalEndpoint).Port}\",\"incarnation\":"
            + $"\"{Incarnation}\",\"model\":\"saga\",\"fingerprint\":\"{Fingerprint}\",\"role\":\"both\"}}\n\n"));
        lock (_gate)
            (_events, Connections) = (stream, Connections + 1);
        _greeted.Release();
    }

    async Task Refuse(TcpClient client, NetworkStream stream)
    {
        if (Answer == "hang")
        {
            Hangs++;
            return;
        }
        if (Answer == "cut")
            await stream.WriteAsync("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"choices\": ["u8.ToArray());
        else if (Answer != "drop")
            await stream.WriteAsync(Encoding.ASCII.GetBytes(
                $"HTTP/1.1 {Answer} No\r\nContent-Length: 0\r\nConnection: close\r\nRetry-After: 1\r\n\r\n"));
        await Task.Delay(50);
        client.Dispose();
    }
}
