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
        Map(routes, "/", "index.html", "text/html; charset=utf-8");
        Map(routes, "/assets/kvasir.js", "kvasir.js", "text/javascript; charset=utf-8");
        Map(routes, "/assets/kvasir.css", "kvasir.css", "text/css; charset=utf-8");
    }

    static void Map(IEndpointRouteBuilder routes, string path, string name, string type)
    {
        byte[] plain = Read(name);
        Lazy<byte[]> compressed = new(() => Compress(plain));
        routes.MapReading(path, async context =>
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
        });
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
