using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Kvasir.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Ollama;

/// <summary>JSON objects, one a line.</summary>
sealed class LineStream : IAnswerStream, IDisposable
{
    readonly HttpResponse _response;
    readonly Utf8JsonWriter _json;

    /// <summary>Begins the response.</summary>
    public LineStream(HttpResponse response)
    {
        _response = response;
        response.ContentType = "application/x-ndjson";
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no"; // proxies that hold back what should be live
        _json = new Utf8JsonWriter(response.BodyWriter, new JsonWriterOptions { SkipValidation = true, Encoder = Wire.Encoder });
    }

    /// <summary>Writes one line.</summary>
    public void Send<T>(T data, JsonTypeInfo<T> type)
    {
        JsonSerializer.Serialize(_json, data, type);
        _json.Flush();
        _json.Reset();
        _response.BodyWriter.Write("\n"u8);
    }

    /// <summary>White space before the next object, which is no line of its own.</summary>
    public void SendPing() => _response.BodyWriter.Write(" "u8);

    public async ValueTask Flush(CancellationToken cancellation) => await _response.BodyWriter.FlushAsync(cancellation);

    public void Dispose() => _json.Dispose();
}
