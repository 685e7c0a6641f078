using System.CommandLine;
using System.Net;
using Kvasir.Cli.Configuration;
using Kvasir.Formats;

namespace Kvasir.Cli.Flags;

/// <summary>The flags of a verb that listens.</summary>
sealed class ListenFlags
{
    readonly Setting<string> _host;
    readonly Setting<int> _port;

    /// <param name="need">What others than this machine's own must show.</param>
    /// <param name="port">The port where nobody says another.</param>
    public ListenFlags(string need, int port)
    {
        _host = new Setting<string>("--host")
        {
            Description = $"Address to listen on; any but a loopback address needs {need}",
            DefaultValueFactory = _ => "127.0.0.1", HelpName = "ADDRESS",
        };
        _port = new Setting<int>("--port", "-p")
        {
            Description = "Port to listen on; 0 takes a free one", DefaultValueFactory = _ => port,
            CustomParser = Number.ParseWithin(0, 65535), HelpName = "PORT",
        };
    }

    public void AddTo(Command verb)
    {
        verb.Options.Add(_host);
        verb.Options.Add(_port);
    }

    public IPAddress Address(ParseResult parsed)
    {
        string host = parsed.GetRequiredValue(_host);
        return host == "localhost" ? IPAddress.Loopback : IPAddress.TryParse(host, out IPAddress? address) ? address
            : throw new UsageException($"--host '{Printable.Line(host, 100)}': expected an IP address such as 127.0.0.1 or 0.0.0.0");
    }

    public int Port(ParseResult parsed) => parsed.GetValue(_port);
}
