using System.Text.Json.Serialization.Metadata;
using Kvasir.Server.Http;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Ollama;

/// <summary>JSON objects, one a line.</summary>
sealed class LineStream(HttpResponse response) : AnswerStream(response, "application/x-ndjson")
{
    /// <summary>Writes one line.</summary>
    public void Send<T>(T data, JsonTypeInfo<T> type)
    {
        WriteJson(data, type);
        Write("\n"u8);
    }

    /// <summary>White space before the next object, which is no line of its own.</summary>
    public override void SendPing() => Write(" "u8);
}
