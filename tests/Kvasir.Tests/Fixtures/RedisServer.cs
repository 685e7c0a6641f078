using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using StackExchange.Redis;

namespace Kvasir.Tests.Fixtures;

/// <summary>A redis-server of a test's own, which can be frozen and killed.</summary>
sealed class RedisServer : IDisposable
{
    readonly TemporaryFolder _folder = new();
    readonly string[] _arguments;
    readonly string? _password;
    Process _process;

    /// <param name="password">What clients have to show.</param>
    /// <param name="arguments">More of its settings.</param>
    public RedisServer(string? password = null, params string[] arguments)
    {
        Programs.Need("redis-server");
        Port = FreePort();
        _password = password;
        _arguments = ["--port", $"{Port}", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _folder["."],
            .. password is null ? (string[])[] : ["--requirepass", password], .. arguments];
        _process = Start();
    }

    /// <summary>Where it listens.</summary>
    public int Port { get; }

    /// <summary>Where it listens to those that encrypt.</summary>
    public int TlsPort { get; private init; }

    /// <summary>One that also listens to those that encrypt.</summary>
    public static RedisServer WithTls(string certificate, string key)
    {
        int port = FreePort();
        return new RedisServer(null, "--tls-port", $"{port}", "--tls-cert-file", certificate, "--tls-key-file", key, "--tls-auth-clients", "no",
            "--tls-ca-cert-file", certificate)
        { TlsPort = port };
    }

    /// <summary>Its address.</summary>
    public string Address => $"redis://127.0.0.1:{Port}";

    /// <summary>Asks it as somebody else would.</summary>
    public T Ask<T>(Func<IDatabase, IServer, T> question)
    {
        using ConnectionMultiplexer connection = ConnectionMultiplexer.Connect(
            $"127.0.0.1:{Port},allowAdmin=true{(_password is null ? "" : $",password={_password}")}");
        return question(connection.GetDatabase(), connection.GetServers()[0]);
    }

    /// <summary>The names that are in it.</summary>
    public string[] Names(string pattern = "*") => Ask((_, server) => server.Keys(pattern: pattern).Select(key => $"{key}").ToArray());

    /// <summary>It answers nothing until it is thawed, and keeps its connections.</summary>
    public void Freeze() => Signal("STOP");

    public void Thaw() => Signal("CONT");

    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    /// <summary>Starts it again, empty.</summary>
    public void Restart() => _process = Start();

    public void Dispose()
    {
        if (!_process.HasExited)
            Kill();
        _process.Dispose();
        _folder.Dispose();
    }

    /// <summary>A port that nobody listens on at the moment.</summary>
    public static int FreePort()
    {
        using TcpListener port = new(IPAddress.Loopback, 0);
        port.Start();
        return ((IPEndPoint)port.LocalEndpoint).Port;
    }

    void Signal(string name)
    {
        using Process kill = Process.Start("kill", ["-" + name, $"{_process.Id}"]);
        kill.WaitForExit();
    }

    Process Start()
    {
        Process process = Process.Start(new ProcessStartInfo("redis-server", _arguments) { RedirectStandardOutput = true })!;
        process.OutputDataReceived += (_, _) => { };
        process.BeginOutputReadLine();
        for (int attempt = 0; attempt < 200 && !process.HasExited; attempt++)
            try
            {
                using TcpClient client = new("127.0.0.1", Port);
                return process;
            }
            catch (SocketException)
            {
                Thread.Sleep(25);
            }
        Assert.Fail("redis-server does not start");
        return process;
    }
}
