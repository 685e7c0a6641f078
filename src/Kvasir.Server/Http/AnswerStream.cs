using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Http;

/// <summary>
/// An answer that is sent in pieces of JSON. Nothing is sent before <see cref="Flush"/>, so that what comes at once goes out at once.
/// </summary>
abstract class AnswerStream : IDisposable
{
    readonly HttpResponse _response;
    readonly Utf8JsonWriter _json;

    /// <summary>Begins the response.</summary>
    protected AnswerStream(HttpResponse response, string contentType)
    {
        _response = response;
        response.ContentType = contentType;
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no"; // proxies that hold back what should be live
        _json = new Utf8JsonWriter(response.BodyWriter, new JsonWriterOptions { SkipValidation = true, Encoder = Wire.Encoder });
    }

    /// <summary>Writes what clients pass over and proxies count as life.</summary>
    public abstract void SendPing();

    /// <summary>Sends what has been written.</summary>
    public async ValueTask Flush(CancellationToken cancellation) => await _response.BodyWriter.FlushAsync(cancellation);

    public void Dispose() => _json.Dispose();

    protected void Write(ReadOnlySpan<byte> bytes) => _response.BodyWriter.Write(bytes);

    protected void WriteJson<T>(T data, JsonTypeInfo<T> type)
    {
        JsonSerializer.Serialize(_json, data, type);
        _json.Flush();
        _json.Reset();
    }
}
