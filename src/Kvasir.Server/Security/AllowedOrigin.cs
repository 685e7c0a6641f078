using Kvasir.Formats;

namespace Kvasir.Server.Security;

/// <summary>Which pages may ask: of an origin, or of a kind of origins.</summary>
sealed class AllowedOrigin
{
    const string AnyPort = ":*", AnyOfScheme = "://*";

    /// <summary>Hosts that are this machine, whatever a name server says.</summary>
    static readonly string[] s_localHosts = ["localhost", "127.0.0.1", "[::1]", "0.0.0.0", "tauri.localhost"];

    /// <summary>Schemes that programs of this machine give their pages, and no page of the web has.</summary>
    static readonly string[] s_localSchemes = ["app", "capacitor", "file", "tauri", "vscode-file", "vscode-webview"];

    readonly Func<string, bool> _admits;

    AllowedOrigin(Func<string, bool> admits) => _admits = admits;

    /// <summary>Pages of this machine: of any port, and those that editors and other programs show.</summary>
    public static AllowedOrigin Local { get; } = new(IsLocal);

    /// <summary>
    /// Pages without an origin: files, and whatever a page of the web puts into a sandboxed frame, which is why it needs a key.
    /// </summary>
    public static AllowedOrigin Opaque { get; } = new(origin => origin == "null") { NeedsKey = true };

    /// <summary>All.</summary>
    public static AllowedOrigin Any { get; } = new(_ => true) { NeedsKey = true, IsAny = true };

    /// <summary>Whether there is no page that could not ask.</summary>
    public bool IsAny { get; private init; }

    /// <summary>Whether a page of the web can come as one of these.</summary>
    public bool NeedsKey { get; private init; }

    /// <summary>Whether a page may ask, by what its browser says of it.</summary>
    public bool Admits(string origin) => _admits(origin);

    /// <summary>Reads what an operator allows.</summary>
    /// <exception cref="ArgumentException">No browser sends such a thing.</exception>
    public static AllowedOrigin Parse(string text)
    {
        if (text is "*" or "local" or "localhost" or "null")
            return text == "*" ? Any : text == "null" ? Opaque : Local;
        string plain = text.EndsWith(AnyPort, StringComparison.Ordinal) ? text[..^AnyPort.Length] : text;
        if (text.EndsWith(AnyOfScheme, StringComparison.Ordinal) && text[..^AnyOfScheme.Length] is var scheme && Uri.CheckSchemeName(scheme)
            && scheme.ToLowerInvariant() is not ("http" or "https"))
            return new(origin => origin.StartsWith($"{scheme}://", StringComparison.OrdinalIgnoreCase));
        if (!plain.Equals(OriginOf(plain), StringComparison.OrdinalIgnoreCase))
            throw new ArgumentException($"origin {Printable.Quote(text)}: expected '*', 'local', 'null', or a scheme and a host, such as "
                + "https://chat.example.org, http://localhost:* or vscode-webview://*");
        return plain.Length == text.Length ? new(origin => origin.Equals(text, StringComparison.OrdinalIgnoreCase))
            : new(origin => WithoutPort(origin)?.Equals(plain, StringComparison.OrdinalIgnoreCase) == true);
    }

    /// <summary>Scheme, host and, where it is not the usual one, port; null for what has none, or more.</summary>
    public static string? OriginOf(string address) =>
        Uri.TryCreate(address, UriKind.Absolute, out Uri? uri) && uri.Host.Length > 0 && uri.UserInfo.Length == 0
            && address.Contains("://", StringComparison.Ordinal) && !address.Contains('*', StringComparison.Ordinal)
            ? uri.GetLeftPart(UriPartial.Authority)
            : null;

    static bool IsLocal(string origin)
    {
        string scheme = origin[..Math.Max(0, origin.IndexOf("://", StringComparison.Ordinal))];
        return s_localSchemes.Contains(scheme, StringComparer.OrdinalIgnoreCase)
            || scheme is "http" or "https" && WithoutPort(origin) is { } plain && s_localHosts.Contains(plain[$"{scheme}://".Length..]);
    }

    static string? WithoutPort(string origin) =>
        OriginOf(origin) is { } known && known.Equals(origin, StringComparison.OrdinalIgnoreCase) && new Uri(origin) is var uri
            ? $"{uri.Scheme}://{uri.Host}"
            : null;
}
