using System.Text;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Http;

/// <summary>
/// Server-sent events: <c>event: NAME</c> where the protocol names them, <c>data: JSON</c>, an empty line.
/// </summary>
sealed class EventStream(HttpResponse response) : AnswerStream(response, "text/event-stream; charset=utf-8")
{
    /// <summary>Writes one event.</summary>
    public void Send<T>(T data, JsonTypeInfo<T> type, string? name = null)
    {
        if (name is not null)
        {
            Write("event: "u8);
            Write(Encoding.UTF8.GetBytes(name));
            Write("\n"u8);
        }
        Write("data: "u8);
        WriteJson(data, type);
        Write("\n\n"u8);
    }

    /// <summary>OpenAI's last event.</summary>
    public void SendDone() => Write("data: [DONE]\n\n"u8);

    /// <inheritdoc/>
    public override void SendPing() => Write(": ping\n\n"u8);
}
