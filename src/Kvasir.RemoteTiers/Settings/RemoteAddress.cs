using System.Globalization;
using System.Text.RegularExpressions;

namespace Kvasir.RemoteTiers.Settings;

/// <summary>
/// Where a store is and how it is used: <c>redis://[user:password@]host[:port][,host2…][/db][?prefix=…&amp;ttl=…]</c>, <c>rediss://</c>
/// with TLS, or <c>s3://bucket[/prefix][?endpoint=…&amp;region=…&amp;ttl=…]</c>; where the way is encrypted, perhaps with <c>ca=FILE</c> or
/// <c>pin=sha256:…</c>. Its text never shows user or password.
/// </summary>
public sealed partial class RemoteAddress
{
    /// <summary>How long values live where nobody says it.</summary>
    public static readonly TimeSpan DefaultLife = TimeSpan.FromHours(24);

    const int DefaultPort = 6379, MostDatabase = 1 << 20;
    const string DefaultPrefix = "default", DefaultFolder = "kvasir";
    const string TlsOnly = "for rediss:// and s3:// with an endpoint of https:// only, which are encrypted on their way";

    readonly string _shown; // the text, of which errors may show parts

    RemoteAddress(string text)
    {
        _shown = text;
        string rest = TakeScheme(text);
        (string place, string query) = Cut(rest, '?');
        place = TakeCredentials(place);
        if (Protocol == StoreProtocol.S3)
            TakeBucket(place);
        else
            TakeServers(place);
        // what is for encrypted ways only is asked after all that may say that this is one
        foreach (string setting in query.Split('&', StringSplitOptions.RemoveEmptyEntries).OrderBy(setting => setting[0] is 'c' or 'p'))
            Set(setting);
    }

    /// <summary>What the store speaks.</summary>
    public StoreProtocol Protocol { get; private set; }

    /// <summary>The servers of Redis's protocol.</summary>
    public IReadOnlyList<(string Host, int Port)> Hosts { get; private set; } = [];

    /// <summary>The bucket of an S3 store.</summary>
    public string? Bucket { get; private set; }

    /// <summary>Where an S3 store is; null for AWS.</summary>
    public Uri? Endpoint { get; private set; }

    /// <summary>The region of an S3 store; null when the environment says it.</summary>
    public string? Region { get; private set; }

    /// <summary>Whether the connection is encrypted and the server proves who it is.</summary>
    public bool UsesTls { get; private set; }

    /// <summary>The number of the database.</summary>
    public int Database { get; private set; }

    /// <summary>What keeps installations on one store apart: with S3 a path in the bucket.</summary>
    public string Prefix { get; private set; } = DefaultPrefix;

    /// <summary>How long values live when nobody uses them.</summary>
    public TimeSpan Life { get; private set; } = DefaultLife;

    /// <summary>File of the certificates that may vouch for the server; null takes the system's.</summary>
    public string? AuthorityFile { get; private set; }

    /// <summary>SHA-256 of the server's certificate in hexadecimal digits; null for any that is vouched for.</summary>
    public string? PinnedCertificate { get; private set; }

    internal string? User { get; private set; }

    internal string? Password { get; private set; }

    /// <summary>Reads an address.</summary>
    /// <exception cref="FormatException">It makes no sense; the message says what would, and never shows a password.</exception>
    public static RemoteAddress Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        return new RemoteAddress(text);
    }

    /// <summary>The address without user and password.</summary>
    public override string ToString() => Protocol == StoreProtocol.S3
        ? $"s3://{Bucket}{(Prefix == DefaultFolder ? "" : $"/{Prefix}")}{(Endpoint is null ? "" : $"?endpoint={Endpoint.GetLeftPart(UriPartial.Authority)}")}"
        : $"redis{(UsesTls ? "s" : "")}://{string.Join(',', Hosts.Select(Text))}"
            + $"{(Database == 0 ? "" : $"/{Database}")}{(Prefix == DefaultPrefix ? "" : $"?prefix={Prefix}")}";

    string TakeScheme(string text)
    {
        int end = text.IndexOf("://", StringComparison.Ordinal);
        string scheme = end < 0 ? "" : text[..end];
        (Protocol, UsesTls) = scheme switch
        {
            "redis" => (StoreProtocol.Redis, false),
            "rediss" => (StoreProtocol.Redis, true),
            "s3" => (StoreProtocol.S3, true),
            "" => throw new FormatException("saw no scheme, expected redis://host[:port], rediss://host[:port] or s3://bucket[/prefix]"),
            _ => throw new FormatException($"saw the scheme {Seen(scheme)}, expected redis://, rediss:// or s3://"),
        };
        return text[(end + 3)..];
    }

    void TakeServers(string place)
    {
        (string hosts, string database) = Cut(place, '/');
        Hosts = [.. hosts.Split(',').Select(ParseHost)];
        Database = database.Length == 0 ? 0 : ParseNumber("database", database, MostDatabase);
    }

    void TakeBucket(string place)
    {
        (string bucket, string folder) = Cut(place, '/');
        Bucket = BucketPattern().IsMatch(bucket) ? bucket
            : throw new FormatException($"saw the bucket {Seen(bucket)}, expected 3 to 63 of a-z 0-9 . -");
        folder = folder.TrimEnd('/');
        Prefix = folder.Length == 0 ? DefaultFolder : FolderPattern().IsMatch(folder) ? folder
            : throw new FormatException($"saw the prefix {Seen(folder)}, expected 1 to 200 of A-Z a-z 0-9 . _ - between single /");
    }

    string TakeCredentials(string place)
    {
        int end = place.LastIndexOf('@'); // a password may hold any sign that comes before
        if (end < 0)
            return place;
        (string user, string password) = Cut(place[..end], ':');
        (User, Password) = (Unescaped(user), Unescaped(password));
        return place[(end + 1)..];
    }

    (string Host, int Port) ParseHost(string text)
    {
        Match match = HostPattern().Match(text);
        if (!match.Success)
            throw new FormatException($"saw the server {Seen(text)}, expected a name or address and perhaps :port");
        string host = match.Groups["host"].Value.Trim('[', ']');
        return (host, match.Groups["port"].Success ? ParseNumber("port", match.Groups["port"].Value, ushort.MaxValue) : DefaultPort);
    }

    void Set(string setting)
    {
        (string key, string value) = Cut(setting, '=');
        value = Uri.UnescapeDataString(value);
        switch (key)
        {
            case "ttl":
                Life = ParseLife(value);
                break;
            case "ca":
                AuthorityFile = UsesTls && value.Length > 0 ? value : throw new FormatException($"saw ca={Seen(value)}, a file {TlsOnly}");
                break;
            case "pin":
                PinnedCertificate = ParsePin(value);
                break;
            case "prefix" when Protocol == StoreProtocol.Redis:
                Prefix = PrefixPattern().IsMatch(value) ? value
                    : throw new FormatException($"saw the prefix {Seen(value)}, expected 1 to 64 of A-Z a-z 0-9 . _ -");
                break;
            case "endpoint" when Protocol == StoreProtocol.S3:
                Endpoint = ParseEndpoint(value);
                UsesTls = Endpoint.Scheme == Uri.UriSchemeHttps;
                break;
            case "region" when Protocol == StoreProtocol.S3:
                Region = PrefixPattern().IsMatch(value) ? value
                    : throw new FormatException($"saw the region {Seen(value)}, expected a name such as eu-central-1");
                break;
            default:
                throw new FormatException($"saw the setting {Seen(key)}, expected {(Protocol == StoreProtocol.S3
                    ? "endpoint, region, ttl, ca or pin (the prefix stands behind the bucket)" : "prefix, ttl, ca or pin")}");
        }
    }

    Uri ParseEndpoint(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out Uri? endpoint) && endpoint is { AbsolutePath: "/", Query: "", Fragment: "", UserInfo: "" }
            && endpoint.Scheme is "http" or "https" && endpoint.Host.Length > 0
            ? endpoint
            : throw new FormatException($"saw endpoint={Seen(text)}, expected http://host[:port] or https://host[:port], and nothing behind it");

    TimeSpan ParseLife(string text)
    {
        Match match = LifePattern().Match(text);
        double seconds = !match.Success ? 0 : int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture)
            * match.Groups[2].Value switch { "s" => 1.0, "min" => 60, "h" => 3600, _ => 86_400 };
        return seconds > 0 ? TimeSpan.FromSeconds(seconds)
            : throw new FormatException($"saw ttl={Seen(text)}, expected a time such as 90s, 15min, 24h or 7d");
    }

    string ParsePin(string text)
    {
        string digits = text.StartsWith("sha256:", StringComparison.OrdinalIgnoreCase) ? text[7..].Replace(":", "") : "";
        if (!UsesTls)
            throw new FormatException($"saw pin={Seen(text)}, a certificate's digest {TlsOnly}");
        return digits.Length == 64 && digits.All(char.IsAsciiHexDigit) ? digits.ToUpperInvariant()
            : throw new FormatException($"saw pin={Seen(text)}, expected sha256: and 64 hexadecimal digits");
    }

    int ParseNumber(string what, string text, int most) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number) && number <= most ? number
            : throw new FormatException($"saw the {what} {Seen(text)}, expected a number up to {most}");

    /// <summary>A part for an error; none where a misplaced sign may have made a password of it.</summary>
    string Seen(string part)
    {
        string line = new([.. part.Take(64).Select(c => char.IsControl(c) ? '?' : c)]);
        return _shown.Contains('@', StringComparison.Ordinal) ? "(not shown, since there is a password before it)" : $"'{line}'";
    }

    static string? Unescaped(string text) => text.Length == 0 ? null : Uri.UnescapeDataString(text);

    static string Text((string Host, int Port) server) =>
        server.Host.Contains(':', StringComparison.Ordinal) ? $"[{server.Host}]:{server.Port}" : $"{server.Host}:{server.Port}";

    static (string, string) Cut(string text, char at) =>
        text.IndexOf(at, StringComparison.Ordinal) is >= 0 and var end ? (text[..end], text[(end + 1)..]) : (text, "");

    [GeneratedRegex(@"^(?<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:(?<port>\d{1,5}))?\z")]
    private static partial Regex HostPattern();

    [GeneratedRegex(@"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\z")]
    private static partial Regex BucketPattern();

    [GeneratedRegex(@"^(?=.{1,200}\z)[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*\z")]
    private static partial Regex FolderPattern();

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,64}\z")]
    private static partial Regex PrefixPattern();

    [GeneratedRegex(@"^(\d{1,6})(s|min|h|d)\z")]
    private static partial Regex LifePattern();
}
