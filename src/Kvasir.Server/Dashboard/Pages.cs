using System.IO.Compression;
using System.Reflection;
using Kvasir.Server.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;

namespace Kvasir.Server.Dashboard;

/// <summary>The dashboard: three files within this library, compressed once, that load nothing from anywhere else.</summary>
public static class Pages
{
    const string Policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'none'; "
        + "frame-ancestors 'none'; require-trusted-types-for 'script'";

    /// <summary>Adds them, at <c>/</c> and below <c>/assets</c>.</summary>
    public static void Map(IEndpointRouteBuilder routes)
    {
        routes.MapReading("/", Page("index.html", "text/html; charset=utf-8"));
        MapAssets(routes);
    }

    /// <summary>The same, but at <c>/</c> only for who takes HTML, as browsers do.</summary>
    /// <param name="routes">Where they are added.</param>
    /// <param name="others">Answers others there.</param>
    internal static void Map(IEndpointRouteBuilder routes, RequestDelegate others)
    {
        RequestDelegate page = Page("index.html", "text/html; charset=utf-8");
        routes.MapReading("/", context =>
        {
            context.Response.Headers.Vary = "Accept";
            return TakesHtml(context.Request) ? page(context) : others(context);
        });
        MapAssets(routes);
    }

    /// <summary>Whether a request is a browser's, for a page.</summary>
    internal static bool TakesHtml(HttpRequest request) =>
        request.Headers.Accept.ToString().Contains("text/html", StringComparison.OrdinalIgnoreCase);

    static void MapAssets(IEndpointRouteBuilder routes)
    {
        routes.MapReading("/assets/kvasir.js", Page("kvasir.js", "text/javascript; charset=utf-8"));
        routes.MapReading("/assets/kvasir.css", Page("kvasir.css", "text/css; charset=utf-8"));
    }

    static RequestDelegate Page(string name, string type)
    {
        byte[] plain = Read(name);
        Lazy<byte[]> compressed = new(() => Compress(plain));
        return async context =>
        {
            IHeaderDictionary headers = context.Response.Headers;
            (headers.ContentType, headers.ContentSecurityPolicy, headers["Referrer-Policy"], headers.CacheControl) =
                (type, Policy, "no-referrer", "no-cache");
            bool takesGzip = context.Request.Headers.AcceptEncoding.ToString().Contains("gzip", StringComparison.OrdinalIgnoreCase);
            if (takesGzip)
                headers.ContentEncoding = "gzip";
            byte[] bytes = takesGzip ? compressed.Value : plain;
            context.Response.ContentLength = bytes.Length;
            await context.Response.Body.WriteAsync(bytes, context.RequestAborted);
        };
    }

    static byte[] Read(string name)
    {
        using Stream file = Assembly.GetExecutingAssembly().GetManifestResourceStream(name) ?? throw new FileNotFoundException(name);
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    static byte[] Compress(byte[] bytes)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.SmallestSize))
            gzip.Write(bytes);
        return target.ToArray();
    }
}
