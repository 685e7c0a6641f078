using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using System.Security;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Kvasir.Tests.Fixtures;

/// <summary>
/// A bucket that speaks as much of S3's protocol as a tier uses, with faults on demand. It sees that a request is signed, and by whom, and
/// not whether the signature is right: that, real servers are for (bench/remote).
/// </summary>
sealed class S3Server : IDisposable
{
    /// <summary>Who may use it.</summary>
    public const string Access = "kvasir", Secret = "open-sesame-1";

    const string Bucket = "kvasir-test";

    readonly ConcurrentQueue<S3Request> _requests = [];
    readonly Lock _gate = new();
    WebApplication _app;
    DateTime _free = DateTime.MinValue; // when what is under way will have been sent

    public S3Server()
    {
        _app = Start(0);
        Port = new Uri(_app.Urls.Single()).Port;
    }

    /// <summary>Where it listens.</summary>
    public int Port { get; }

    /// <summary>Its objects, by name, and when they were written.</summary>
    public ConcurrentDictionary<string, (byte[] Bytes, DateTimeOffset Changed)> Objects { get; } = [];

    /// <summary>What goes wrong with a request; null when nothing does.</summary>
    public Func<S3Request, S3Fault?> Fault { get; set; } = _ => null;

    /// <summary>How long every answer takes at least.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>Bytes per second of all answers together; 0 for as many as there may be.</summary>
    public double Rate { get; set; }

    /// <summary>What it was asked, since this was called last.</summary>
    public S3Request[] TakeRequests()
    {
        S3Request[] requests = [.. _requests];
        _requests.Clear();
        return requests;
    }

    /// <summary>An address, as <c>--kv-remote</c> takes it.</summary>
    public string Address(string path = "", string settings = "") => $"s3://{Bucket}{path}?endpoint=http://127.0.0.1:{Port}{settings}";

    /// <summary>Names of the objects of a kind.</summary>
    public string[] Names(char kind) => [.. Objects.Keys.Where(name => name.Contains($"/1/{kind}/", StringComparison.Ordinal)).Order()];

    public void Kill() => _app.StopAsync(new CancellationToken(canceled: true)).GetAwaiter().GetResult();

    public void Restart()
    {
        ((IDisposable)_app).Dispose();
        _app = Start(Port);
    }

    public void Dispose()
    {
        Kill();
        ((IDisposable)_app).Dispose();
    }

    WebApplication Start(int port)
    {
        WebApplicationBuilder builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, port);
            kestrel.Limits.MaxRequestBodySize = null;
        });
        WebApplication app = builder.Build();
        app.Run(Answer);
        app.StartAsync().GetAwaiter().GetResult();
        return app;
    }

    async Task Answer(HttpContext context)
    {
        string[] path = context.Request.Path.Value!.Split('/', 3);
        S3Request request = new(context.Request.Method, path.Length > 2 ? path[2] : "", context.Request.Headers.Range.ToString());
        _requests.Enqueue(request);
        await Task.Delay(Latency).ConfigureAwait(false);
        S3Fault? fault = Fault(request);
        if (fault is { Hangs: true })
            await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default).ConfigureAwait(false);
        else if (fault is { Resets: true })
            context.Abort();
        else if (fault is { Status: > 0 })
            await Refuse(context, fault.Status, fault.Code).ConfigureAwait(false);
        else if (!context.Request.Headers.Authorization.ToString().StartsWith($"AWS4-HMAC-SHA256 Credential={Access}/", StringComparison.Ordinal))
            await Refuse(context, 403, "InvalidAccessKeyId").ConfigureAwait(false);
        else if (path[1] != Bucket)
            await Refuse(context, 404, "NoSuchBucket").ConfigureAwait(false);
        else
            await Serve(context, request, fault).ConfigureAwait(false);
    }

    Task Serve(HttpContext context, S3Request request, S3Fault? fault) => request switch
    {
        { Method: "GET", Name: "" } => List(context),
        { Method: "GET" or "HEAD" } => Get(context, request, fault),
        { Method: "PUT" } => Put(context, request, fault),
        { Method: "DELETE" } => Delete(context, request),
        _ => Refuse(context, 405, "MethodNotAllowed"),
    };

    async Task Get(HttpContext context, S3Request request, S3Fault? fault)
    {
        string name = fault?.Instead?.Invoke(request.Name) ?? request.Name;
        if (!Objects.TryGetValue(name, out (byte[] Bytes, DateTimeOffset Changed) found))
        {
            await Refuse(context, 404, "NoSuchKey").ConfigureAwait(false);
            return;
        }
        (int from, int to) = Range(request.Range, found.Bytes.Length);
        if (from >= found.Bytes.Length)
        {
            await Refuse(context, 416, "InvalidRange").ConfigureAwait(false);
            return;
        }
        byte[] bytes = found.Bytes[from..to];
        fault?.Change?.Invoke(bytes);
        context.Response.StatusCode = request.Range.Length > 0 ? 206 : 200;
        context.Response.ContentLength = bytes.Length;
        context.Response.Headers.LastModified = found.Changed.ToString("R", CultureInfo.InvariantCulture);
        await Send(context, fault is { Truncates: true } ? bytes[..(bytes.Length / 2)] : bytes).ConfigureAwait(false);
        if (fault is { Truncates: true })
            context.Abort();
    }

    async Task Send(HttpContext context, byte[] bytes)
    {
        const int piece = 256 << 10;
        for (int at = 0; at < bytes.Length; at += piece)
        {
            int length = Math.Min(piece, bytes.Length - at);
            await Task.Delay(Turn(length)).ConfigureAwait(false);
            await context.Response.Body.WriteAsync(bytes.AsMemory(at, length)).ConfigureAwait(false);
        }
        await context.Response.Body.FlushAsync().ConfigureAwait(false);
    }

    /// <summary>How long it takes until so many more bytes may be sent.</summary>
    TimeSpan Turn(int bytes)
    {
        if (Rate == 0)
            return TimeSpan.Zero;
        lock (_gate)
        {
            DateTime now = DateTime.UtcNow;
            _free = (_free > now ? _free : now) + TimeSpan.FromSeconds(bytes / Rate);
            return _free - now;
        }
    }

    async Task Put(HttpContext context, S3Request request, S3Fault? fault)
    {
        if (context.Request.Headers["x-amz-copy-source"].ToString() is { Length: > 0 } source)
        {
            string from = Uri.UnescapeDataString(source).TrimStart('/')[(Bucket.Length + 1)..];
            if (from == request.Name && context.Request.Headers["x-amz-metadata-directive"] != "REPLACE")
                await Refuse(context, 400, "InvalidRequest").ConfigureAwait(false);
            else if (!Objects.TryGetValue(from, out (byte[] Bytes, DateTimeOffset) found))
                await Refuse(context, 404, "NoSuchKey").ConfigureAwait(false);
            else
            {
                Objects[request.Name] = (found.Bytes, DateTimeOffset.UtcNow);
                await Xml(context, "<CopyObjectResult><ETag>\"0\"</ETag></CopyObjectResult>").ConfigureAwait(false);
            }
            return;
        }
        using MemoryStream content = new();
        await context.Request.Body.CopyToAsync(content).ConfigureAwait(false);
        if (context.Request.Headers.ContentEncoding.ToString().Contains("aws-chunked", StringComparison.Ordinal))
            await Refuse(context, 501, "NotImplemented").ConfigureAwait(false);
        else
        {
            byte[] bytes = content.ToArray();
            if (fault is { Frames: true }) // as servers do that do not know the frames around chunks
                bytes = [.. Encoding.ASCII.GetBytes($"{bytes.Length:x};chunk-signature={new string('0', 64)}\r\n"), .. bytes, .. "\r\n"u8];
            Objects[request.Name] = (bytes, DateTimeOffset.UtcNow);
            context.Response.Headers.ETag = "\"0\"";
        }
    }

    Task Delete(HttpContext context, S3Request request)
    {
        Objects.TryRemove(request.Name, out _);
        context.Response.StatusCode = 204;
        return Task.CompletedTask;
    }

    /// <summary>Objects in their order, two hundred on a page.</summary>
    Task List(HttpContext context)
    {
        const int most = 200;
        IQueryCollection query = context.Request.Query;
        string prefix = query["prefix"].ToString(), after = query["continuation-token"].ToString();
        string[] names = [.. Objects.Keys.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)
            && string.CompareOrdinal(name, after) > 0).Order(StringComparer.Ordinal)];
        StringBuilder xml = new($"<ListBucketResult><IsTruncated>{(names.Length > most ? "true" : "false")}</IsTruncated>");
        if (names.Length > most)
            xml.Append($"<NextContinuationToken>{names[most - 1]}</NextContinuationToken>");
        foreach (string name in names.Take(most))
            xml.Append($"<Contents><Key>{name}</Key><LastModified>{Objects[name].Changed.UtcDateTime:yyyy-MM-ddTHH:mm:ss.fffZ}</LastModified>"
                + $"<Size>{Objects[name].Bytes.Length}</Size></Contents>");
        return Xml(context, xml.Append("</ListBucketResult>").ToString());
    }

    static Task Refuse(HttpContext context, int status, string code)
    {
        context.Response.StatusCode = status;
        return context.Request.Method == "HEAD" ? Task.CompletedTask
            : Xml(context, $"<Error><Code>{code}</Code><Message>{SecurityElement.Escape(code)} of {context.Request.GetDisplayUrl()}</Message></Error>");
    }

    static Task Xml(HttpContext context, string text)
    {
        context.Response.ContentType = "application/xml";
        return context.Response.WriteAsync($"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{text}");
    }

    static (int From, int To) Range(string header, int length)
    {
        if (header.Length == 0)
            return (0, length);
        string[] parts = header["bytes=".Length..].Split('-');
        int from = int.Parse(parts[0], CultureInfo.InvariantCulture), last = int.Parse(parts[1], CultureInfo.InvariantCulture);
        return (from, Math.Min(last + 1, length));
    }
}

/// <summary>What was asked for.</summary>
/// <param name="Method">How.</param>
/// <param name="Name">The object; empty for the bucket.</param>
/// <param name="Range">Which part of it; empty for all.</param>
sealed record S3Request(string Method, string Name, string Range)
{
    /// <summary>Whether it is about a run's bytes.</summary>
    public bool IsOfRun => Name.Contains("/1/v/", StringComparison.Ordinal);
}

/// <summary>What goes wrong.</summary>
sealed record S3Fault
{
    /// <summary>An answer other than what was asked for.</summary>
    public int Status { get; init; }

    /// <summary>How the answer is called.</summary>
    public string Code { get; init; } = "Fault";

    /// <summary>No answer.</summary>
    public bool Hangs { get; init; }

    /// <summary>The connection ends.</summary>
    public bool Resets { get; init; }

    /// <summary>The connection ends in the middle of the answer.</summary>
    public bool Truncates { get; init; }

    /// <summary>What is written is stored with frames around it.</summary>
    public bool Frames { get; init; }

    /// <summary>Changes what is sent.</summary>
    public Action<byte[]>? Change { get; init; }

    /// <summary>Sends another object.</summary>
    public Func<string, string>? Instead { get; init; }
}
