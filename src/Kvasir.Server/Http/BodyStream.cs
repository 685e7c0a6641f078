using System.Diagnostics;
using System.IO.Compression;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core.Features;
using MinDataRate = Microsoft.AspNetCore.Server.Kestrel.Core.MinDataRate;

namespace Kvasir.Server.Http;

/// <summary>The bytes of a request's body as they come, unpacked where a client has packed them.</summary>
sealed class BodyStream : IAsyncDisposable
{
    const string Encodings = "gzip, deflate, br";

    /// <summary>A client that holds room has to be quicker than one that does not.</summary>
    static readonly MinDataRate s_brisk = new(bytesPerSecond: 1 << 16, gracePeriod: TimeSpan.FromSeconds(5));

    readonly HttpContext _context;
    readonly Stream? _unpacked;
    readonly long _mostUnpacked = long.MaxValue;
    CancellationTokenSource? _patience;
    TimeSpan _waited;
    long _read;

    BodyStream(HttpContext context, Stream? unpacked)
    {
        (_context, _unpacked) = (context, unpacked);
        if (unpacked is not null) // of a plain one Kestrel keeps the limit
            _mostUnpacked = context.Features.Get<IHttpMaxRequestBodySizeFeature>()?.MaxRequestBodySize ?? long.MaxValue;
    }

    /// <summary>How many bytes come, if that is known.</summary>
    public long? Length => _unpacked is null ? _context.Request.ContentLength : null;

    /// <summary>Begins to read.</summary>
    /// <exception cref="RequestException">It is packed in a way that is not known here.</exception>
    public static BodyStream Open(HttpContext context)
    {
        Stream body = context.Request.Body;
        string encoding = context.Request.Headers.ContentEncoding.ToString();
        return new BodyStream(context, encoding.Trim().ToLowerInvariant() switch
        {
            "" or "identity" => null,
            "gzip" or "x-gzip" => new GZipStream(body, CompressionMode.Decompress, leaveOpen: true),
            "deflate" => new ZLibStream(body, CompressionMode.Decompress, leaveOpen: true),
            "br" => new BrotliStream(body, CompressionMode.Decompress, leaveOpen: true),
            _ => throw Unknown(context, encoding),
        });
    }

    static RequestException Unknown(HttpContext context, string encoding)
    {
        context.Response.Headers.AcceptEncoding = Encodings;
        return new RequestException(415, $"Content-Encoding {Formats.Printable.Quote(encoding)} is not known here, expected one of {Encodings}",
            code: "unsupported_encoding");
    }

    /// <summary>Refuses a packed body where none is unpacked.</summary>
    public static void CheckPlain(HttpContext context)
    {
        if (context.Request.Headers.ContentEncoding.ToString() is { Length: > 0 } encoding and not "identity")
            throw new RequestException(415, $"Content-Encoding {Formats.Printable.Quote(encoding)}: an archive is taken as it is",
                code: "unsupported_encoding");
    }

    /// <summary>Reads the next bytes; none at the end.</summary>
    public async ValueTask<int> Read(Memory<byte> target)
    {
        long start = Stopwatch.GetTimestamp();
        int read;
        try
        {
            read = await (_unpacked ?? _context.Request.Body).ReadAsync(target, Patience());
            _read += read;
        }
        catch (Exception e) when (_unpacked is not null && e is InvalidDataException or InvalidOperationException)
        {
            throw RequestBody.Broken(); // it is not packed so
        }
        catch (OperationCanceledException) when (!_context.RequestAborted.IsCancellationRequested)
        {
            throw new RequestException(408, "the body comes too slowly", code: "invalid_body");
        }
        _waited += Stopwatch.GetElapsedTime(start);
        return _read <= _mostUnpacked ? read
            : throw new RequestException(413, "the body is larger than this server takes when it is unpacked", code: "invalid_body");
    }

    /// <summary>From now on it has to come quickly.</summary>
    public void Hurry()
    {
        if (HttpProtocol.IsHttp2(_context.Request.Protocol)) // Kestrel has no rates of single requests there
            _patience = CancellationTokenSource.CreateLinkedTokenSource(_context.RequestAborted);
        else if (_context.Features.Get<IHttpMinRequestBodyDataRateFeature>() is { } rate)
            rate.MinDataRate = s_brisk;
    }

    public async ValueTask DisposeAsync()
    {
        _patience?.Dispose();
        if (_unpacked is not null)
            await _unpacked.DisposeAsync();
    }

    /// <summary>Until when the next bytes have to be here: time in which nobody read is not the client's.</summary>
    CancellationToken Patience()
    {
        if (_patience is null)
            return _context.RequestAborted;
        TimeSpan left = s_brisk.GracePeriod + TimeSpan.FromSeconds(_read / s_brisk.BytesPerSecond) - _waited;
        _patience.CancelAfter(left > TimeSpan.Zero ? left : TimeSpan.Zero);
        return _patience.Token;
    }
}
