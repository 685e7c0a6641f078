using System.Text.Json;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Http;

/// <summary>A request's JSON body.</summary>
static class RequestBody
{
    static readonly JsonDocumentOptions s_options = new() { MaxDepth = 64 };

    /// <summary>Reads it whole. The document must be disposed when the request is served.</summary>
    /// <exception cref="RequestException">It is too large, or no JSON object.</exception>
    public static async Task<JsonDocument> Read(HttpContext context)
    {
        try
        {
            JsonDocument document = await JsonDocument.ParseAsync(context.Request.Body, s_options, context.RequestAborted);
            context.Response.RegisterForDispose(document);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document : throw new Field("", document.RootElement).Wrong("a JSON object");
        }
        catch (JsonException e)
        {
            throw new RequestException(400, $"the body is no JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}", code: "invalid_json");
        }
        catch (BadHttpRequestException e)
        {
            throw new RequestException(e.StatusCode, e.StatusCode == 413 ? "the body is larger than this server takes" : "the body did not come as it should", code: "invalid_body");
        }
    }
}
