using System.Globalization;

namespace Kvasir.Cluster.Peers;

/// <summary>Where a node answers others: a host and a port.</summary>
/// <param name="Host">A name or an address.</param>
/// <param name="Port">The port.</param>
public sealed record PeerAddress(string Host, int Port)
{
    /// <summary>Reads <c>HOST:PORT</c>; an IPv6 address stands in brackets.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static PeerAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        int colon = text.LastIndexOf(':');
        string host = colon < 0 ? "" : text[..colon].Trim('[', ']');
        return Uri.CheckHostName(host) != UriHostNameType.Unknown
            && int.TryParse(text[(colon + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out int port) && port is > 0 and <= 65535
            ? new PeerAddress(host, port)
            : throw new FormatException($"{Formats.Printable.Quote(text)}: expected HOST:PORT");
    }

    /// <inheritdoc/>
    public override string ToString() => Host.Contains(':', StringComparison.Ordinal) ? $"[{Host}]:{Port}" : $"{Host}:{Port}";
}
