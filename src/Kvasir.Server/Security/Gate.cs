using System.Net;
using System.Security.Cryptography;
using System.Text;
using Kvasir.Formats;
using Kvasir.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Security;

/// <summary>
/// Lets in who may come. A page of somewhere else must not reach a server on this machine through the browser: its name must be one that
/// the server goes by (DNS rebinding, CVE-2024-28224), and no other origin is answered unless it was named.
/// </summary>
/// <param name="keys">Who may ask; none lets anybody who reaches the server.</param>
/// <param name="allowedHosts">Names that the server goes by, besides localhost and its addresses.</param>
/// <param name="allowedOrigins">Other origins whose pages may ask.</param>
sealed class Gate(IReadOnlyList<ApiKey> keys, IReadOnlyList<string> allowedHosts, IReadOnlyList<string> allowedOrigins)
{
    static readonly object s_principal = new();
    static readonly string[] s_open = ["/", "/health", "/v1/health", "/favicon.ico"];

    readonly HashSet<string> _hosts = new(["localhost", "127.0.0.1", "[::1]", .. allowedHosts], StringComparer.OrdinalIgnoreCase);

    /// <summary>With a key a page of this machine is no danger: it has to show it, and no browser sends it along unasked.</summary>
    readonly List<AllowedOrigin> _origins =
    [
        .. allowedOrigins.Select(AllowedOrigin.Parse),
        .. keys.Count > 0 ? [AllowedOrigin.Local, AllowedOrigin.Opaque] : (AllowedOrigin[])[],
    ];

    /// <summary>Who asks, after <see cref="Check"/>.</summary>
    public static Principal PrincipalOf(HttpContext context) => (Principal)context.Items[s_principal]!;

    /// <summary>Checks a request. True when it has been answered already.</summary>
    /// <exception cref="RequestException">It may not come in.</exception>
    public bool Check(HttpContext context)
    {
        CheckHost(context.Request);
        bool answered = CheckOrigin(context);
        if (answered)
            return true;
        Principal principal = Authenticate(context.Request);
        Scopes needed = Needed(context.Request.Path);
        if (needed != Scopes.None && (principal.Scopes & needed) == Scopes.None)
            throw new RequestException(403, $"this key has no scope {Name(needed)}", code: "missing_scope");
        context.Items[s_principal] = principal;
        return false;
    }

    static Scopes Needed(PathString path)
    {
        if (IsOpen(path))
            return Scopes.None;
        if (path.StartsWithSegments("/metrics"))
            return Scopes.Metrics;
        if (path.StartsWithSegments("/v1/cluster"))
            return Scopes.Metrics | Scopes.KvAdmin; // either
        return path.StartsWithSegments("/v1/kv") ? Scopes.KvAdmin : Scopes.Infer;
    }

    static string Name(Scopes scopes) => string.Join(" or ", Enum.GetValues<Scopes>()
        .Where(scope => int.IsPow2((int)scope) && scopes.HasFlag(scope))
        .Select(scope => scope == Scopes.KvAdmin ? "kv-admin" : scope.ToString().ToLowerInvariant()));

    static bool IsOpen(PathString path) => s_open.Contains(path.Value) || path.StartsWithSegments("/assets");

    /// <summary>With keys the check is needless, because no page has one; a server behind a proxy goes by any name then.</summary>
    void CheckHost(HttpRequest request)
    {
        if (keys.Count > 0 && allowedHosts.Count == 0)
            return;
        string host = request.Host.Host;
        if (!_hosts.Contains(host)
            && !(IPAddress.TryParse(host, out IPAddress? address) && address.Equals(request.HttpContext.Connection.LocalIpAddress)))
            throw new RequestException(403, $"Host {Printable.Quote(host)} is none of this server's names; --allowed-host adds one",
                code: "host_not_allowed");
    }

    /// <summary>
    /// The server's own page is of its scheme, too. Credentials (cookies) are never asked for: a page shows its key itself, in a header.
    /// </summary>
    bool CheckOrigin(HttpContext context)
    {
        string? origin = context.Request.Headers.Origin;
        if (string.IsNullOrEmpty(origin)
            || AllowedOrigin.OriginOf(origin) is { } known
                && known == AllowedOrigin.OriginOf($"{context.Request.Scheme}://{context.Request.Host.Value}"))
            return false;
        if (!_origins.Exists(allowed => allowed.Admits(origin)))
            throw new RequestException(403, $"Origin {Printable.Quote(origin)} is not allowed; --cors-origin adds one"
                + (AllowedOrigin.Local.Admits(origin) ? ", and --cors-origin local all pages of this machine" : ""),
                code: "origin_not_allowed");
        IHeaderDictionary headers = context.Response.Headers;
        bool admitsAll = _origins.Exists(allowed => allowed.IsAny);
        headers.AccessControlAllowOrigin = admitsAll ? "*" : origin;
        if (!admitsAll)
            headers.Vary = "Origin";
        headers.AccessControlExposeHeaders = "Retry-After, X-Kvasir-Ignored";
        if (!HttpMethods.IsOptions(context.Request.Method))
            return false;
        AnswerPreflight(context.Request.Headers, headers);
        context.Response.StatusCode = StatusCodes.Status204NoContent;
        return true;
    }

    /// <summary>
    /// What a browser asks before the request: clients send headers of many names (Authorization, x-api-key, anthropic-version,
    /// x-stainless-…), and none of them does anything that a page of this origin may not.
    /// </summary>
    static void AnswerPreflight(IHeaderDictionary asked, IHeaderDictionary headers)
    {
        (headers.AccessControlAllowMethods, headers.AccessControlAllowHeaders, headers.AccessControlMaxAge) =
            ("GET, HEAD, POST, DELETE", asked.AccessControlRequestHeaders, "7200");
        if (asked["Access-Control-Request-Private-Network"] == "true") // of pages from the network that ask a server on this machine
            headers["Access-Control-Allow-Private-Network"] = "true";
    }

    Principal Authenticate(HttpRequest request)
    {
        if (keys.Count == 0)
            return Principal.Anyone;
        string? key = request.Headers.Authorization is [{ } header] && header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase)
            ? header[7..].Trim()
            : request.Headers["X-Api-Key"];
        byte[] digest = SHA256.HashData(Encoding.UTF8.GetBytes(key ?? ""));
        Principal? found = null;
        foreach (ApiKey known in keys)
            found = known.Matches(digest) ? known.Principal : found; // all of them, however early one fits
        if (found is not null)
            return found;
        return IsOpen(request.Path)
            ? new Principal("nobody", Scopes.None, [])
            : throw new RequestException(401, key is null
                ? "no API key: expected the header Authorization: Bearer KEY"
                : "the API key is wrong", code: "invalid_api_key");
    }
}
