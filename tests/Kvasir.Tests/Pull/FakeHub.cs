using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Kvasir.Tests.Pull;

/// <summary>What a request was.</summary>
sealed record HubRequest(bool IsCdn, string Path, string Range, string Authorization);

/// <summary>
/// Speaks as Hugging Face's hub does, with a second host that has the large files behind signed addresses; a test says what goes wrong.
/// </summary>
sealed class FakeHub : IAsyncDisposable
{
    public const string Commit = "89abcdef89abcdef89abcdef89abcdef89abcdef", Repository = "Org/Tiny";

    readonly SortedDictionary<string, (byte[] Bytes, bool IsLarge)> _files = new(StringComparer.Ordinal);
    readonly WebApplication _app;

    FakeHub()
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0", "http://127.0.0.1:0");
        _app = builder.Build();
        _app.Run(Answer);
    }

    /// <summary>Whom to ask.</summary>
    public Uri Endpoint { get; private set; } = null!;

    Uri Cdn { get; set; } = null!;

    public ConcurrentQueue<HubRequest> Requests { get; } = new();

    public IEnumerable<HubRequest> OfCdn => Requests.Where(request => request.IsCdn);

    /// <summary>Files of a page of the list.</summary>
    public int PageSize { get; set; } = 1000;

    /// <summary>What the list says after the last page.</summary>
    public Func<string>? NextPage { get; set; }

    /// <summary>What the list says of a file, changed.</summary>
    public Action<JsonObject>? Listed { get; set; }

    /// <summary>Answers in the hub's place; false leaves it to the hub.</summary>
    public Func<HttpContext, Task<bool>>? OnHub { get; set; }

    /// <summary>Answers in the place of the host of the files, whose bytes it is given.</summary>
    public Func<HttpContext, byte[], Task<bool>>? OnCdn { get; set; }

    public static async Task<FakeHub> Start()
    {
        FakeHub hub = new();
        await hub._app.StartAsync(TestContext.Current.CancellationToken);
        IServer server = hub._app.Services.GetRequiredService<IServer>();
        string[] addresses = [.. server.Features.Get<IServerAddressesFeature>()!.Addresses];
        (hub.Endpoint, hub.Cdn) = (new Uri(addresses[0] + "/"), new Uri(addresses[1] + "/"));
        return hub;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    /// <summary>Adds a file; large ones lie at the other host.</summary>
    public byte[] Add(string path, byte[] bytes, bool? isLarge = null)
    {
        _files[path] = (bytes, isLarge ?? !path.EndsWith(".json", StringComparison.Ordinal));
        return bytes;
    }

    public byte[] Add(string path, int bytes, bool? isLarge = null)
    {
        byte[] content = new byte[bytes];
        new Random(path.Length + bytes).NextBytes(content);
        return Add(path, content, isLarge);
    }

    public static string Sha256(byte[] bytes) => Convert.ToHexStringLower(SHA256.HashData(bytes));

#pragma warning disable CA5350 // as Git does
    public static string Sha1(byte[] bytes) =>
        Convert.ToHexStringLower(SHA1.HashData([.. Encoding.ASCII.GetBytes($"blob {bytes.Length}\0"), .. bytes]));
#pragma warning restore CA5350

    async Task Answer(HttpContext context)
    {
        bool isCdn = context.Connection.LocalPort == Cdn.Port;
        Requests.Enqueue(new HubRequest(isCdn, context.Request.Path.Value!, context.Request.Headers.Range.ToString(),
            context.Request.Headers.Authorization.ToString()));
        string[] parts = context.Request.Path.Value!.Trim('/').Split('/');
        if (isCdn)
            await Serve(context, _files.Values.First(file => Sha256(file.Bytes) == parts[^1]).Bytes);
        else if (OnHub is null || !await OnHub(context))
            await (parts switch
            {
                ["api", "models", "Org", "Tiny", "refs"] => context.Response.WriteAsync(
                    $$"""{"branches": [{"name": "main", "ref": "refs/heads/main", "targetCommit": "{{Commit}}"}], "tags": []}"""),
                ["api", "models", "Org", "Tiny", "tree", Commit] => List(context),
                ["Org", "Tiny", "resolve", Commit, .. var path] => Resolve(context, string.Join('/', path)),
                _ => Refuse(context, 401, "RepoNotFound"),
            });
    }

    public static async Task<bool> Refuse(HttpContext context, int status, string? code = null)
    {
        context.Response.StatusCode = status;
        if (code is not null)
            context.Response.Headers["X-Error-Code"] = code;
        await context.Response.WriteAsync("<html>no</html>");
        return true;
    }

    Task List(HttpContext context)
    {
        int from = int.TryParse(context.Request.Query["cursor"], out int cursor) ? cursor : 0;
        var page = new JsonArray();
        foreach ((string path, (byte[] bytes, bool isLarge)) in _files.Skip(from).Take(PageSize))
        {
            var file = new JsonObject { ["type"] = "file", ["path"] = path, ["size"] = bytes.Length, ["oid"] = Sha1(bytes) };
            if (isLarge)
                file["lfs"] = new JsonObject { ["oid"] = Sha256(bytes), ["size"] = bytes.Length, ["pointerSize"] = 134 };
            Listed?.Invoke(file);
            page.Add(file);
        }
        page.Add(new JsonObject { ["type"] = "directory", ["path"] = "..", ["size"] = 0, ["oid"] = "x" }); // nobody asks for folders
        if (from + PageSize < _files.Count)
            context.Response.Headers.Link =
                $"<{Endpoint}api/models/{Repository}/tree/{Commit}?recursive=true&cursor={from + PageSize}>; rel=\"next\"";
        else if (NextPage is not null)
            context.Response.Headers.Link = $"<{NextPage()}>; rel=\"next\"";
        return context.Response.WriteAsync(page.ToJsonString());
    }

    Task Resolve(HttpContext context, string path)
    {
        (byte[] bytes, bool isLarge) = _files[path];
        context.Response.Headers["X-Repo-Commit"] = Commit;
        if (!isLarge)
            return context.Response.Body.WriteAsync(bytes).AsTask();
        context.Response.StatusCode = 302;
        context.Response.Headers["X-Linked-Etag"] = $"\"{Sha256(bytes)}\"";
        context.Response.Headers.Location = $"{Cdn}signed/{Sha256(bytes)}?Signature=abc";
        return Task.CompletedTask;
    }

    async Task Serve(HttpContext context, byte[] bytes)
    {
        if (OnCdn is not null && await OnCdn(context, bytes))
            return;
        int from = From(context);
        if (from > 0)
        {
            context.Response.StatusCode = (int)HttpStatusCode.PartialContent;
            context.Response.Headers.ContentRange = $"bytes {from}-{bytes.Length - 1}/{bytes.Length}";
        }
        context.Response.ContentLength = bytes.Length - from;
        await context.Response.Body.WriteAsync(bytes.AsMemory(from));
    }

    /// <summary>The first byte that is asked for.</summary>
    public static int From(HttpContext context) => context.Request.Headers.Range.ToString() is { Length: > 0 } range
        ? int.Parse(range["bytes=".Length..^1], System.Globalization.CultureInfo.InvariantCulture) : 0;

    /// <summary>Sends some of the bytes that it says it will send, and drops the connection.</summary>
    public static async Task<bool> Cut(HttpContext context, byte[] bytes, int most)
    {
        int from = From(context);
        context.Response.StatusCode = from > 0 ? 206 : 200;
        if (from > 0)
            context.Response.Headers.ContentRange = $"bytes {from}-{bytes.Length - 1}/{bytes.Length}";
        context.Response.ContentLength = bytes.Length - from;
        await context.Response.Body.WriteAsync(bytes.AsMemory(from, Math.Min(most, bytes.Length - from)));
        await context.Response.Body.FlushAsync();
        await Task.Delay(20); // or what was sent may be lost with the connection
        context.Abort();
        return true;
    }
}
