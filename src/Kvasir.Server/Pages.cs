using System.IO.Compression;
using System.Reflection;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvasir.Server.Dashboard;

/// <summary>The dashboard: a few files, compressed within this library, that load nothing from anywhere else.</summary>
static class Pages
{
    const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapGet("/", context => Send(context, "index.html", "text/html; charset=utf-8"));
        routes.MapGet("/assets/kvasir.js", context => Send(context, "kvasir.js", "text/javascript; charset=utf-8"));
        routes.MapGet("/assets/kvasir.css", context => Send(context, "kvasir.css", "text/css; charset=utf-8"));
    }

    static async Task Send(HttpContext context, string name, string type)
    {
        await using Stream file = Assembly.GetExecutingAssembly().GetManifestResourceStream($"dashboard/{name}.gz") ?? throw new FileNotFoundException(name);
        IHeaderDictionary headers = context.Response.Headers;
        (headers.ContentType, headers.ContentSecurityPolicy, headers["Referrer-Policy"], headers.CacheControl) = (type, Policy, "no-referrer", "no-cache");
        if (!context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase))
        {
            await using var plain = new GZipStream(file, CompressionMode.Decompress);
            await plain.CopyToAsync(context.Response.Body, context.RequestAborted);
            return;
        }
        (headers.ContentEncoding, context.Response.ContentLength) = ("gzip", file.Length);
        await file.CopyToAsync(context.Response.Body, context.RequestAborted);
    }
}
