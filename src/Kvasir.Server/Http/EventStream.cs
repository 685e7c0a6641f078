using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Http;

/// <summary>
/// Server-sent events: <c>event: NAME</c> where the protocol names them, <c>data: JSON</c>, an empty line. Nothing is sent before
/// <see cref="Flush"/>, so that what comes at once goes out at once.
/// </summary>
sealed class EventStream : IAnswerStream, IDisposable
{
    readonly HttpResponse _response;
    readonly Utf8JsonWriter _json;

    /// <summary>Begins the response.</summary>
    public EventStream(HttpResponse response)
    {
        _response = response;
        response.ContentType = "text/event-stream; charset=utf-8";
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no"; // proxies that hold back what should be live
        _json = new Utf8JsonWriter(response.BodyWriter, new JsonWriterOptions { SkipValidation = true, Encoder = Wire.Encoder });
    }

    /// <summary>Writes one event.</summary>
    public void Send<T>(T data, JsonTypeInfo<T> type, string? name = null)
    {
        if (name is not null)
        {
            Write("event: "u8);
            Write(System.Text.Encoding.UTF8.GetBytes(name));
            Write("\n"u8);
        }
        Write("data: "u8);
        JsonSerializer.Serialize(_json, data, type);
        _json.Flush();
        _json.Reset();
        Write("\n\n"u8);
    }

    /// <summary>OpenAI's last event.</summary>
    public void SendDone() => Write("data: [DONE]\n\n"u8);

    /// <summary>A comment, which clients ignore and proxies count as life.</summary>
    public void SendPing() => Write(": ping\n\n"u8);

    public async ValueTask Flush(CancellationToken cancellation) => await _response.BodyWriter.FlushAsync(cancellation);

    public void Dispose() => _json.Dispose();

    void Write(ReadOnlySpan<byte> bytes) => _response.BodyWriter.Write(bytes);
}
