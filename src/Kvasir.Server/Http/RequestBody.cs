using System.Buffers;
using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Unicode;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Http;

/// <summary>A request's JSON body.</summary>
static class RequestBody
{
    const int MostAtOnce = 1 << 20; // that a client's word is taken for

    static readonly JsonDocumentOptions s_options = new() { MaxDepth = 64 };

    /// <summary>Reads it whole. The document must be disposed when the request is served.</summary>
    /// <exception cref="RequestException">It is too large, or no JSON object.</exception>
    public static async Task<JsonDocument> Read(HttpContext context)
    {
        try
        {
            JsonDocument document = JsonDocument.Parse(await ReadBytes(context), s_options);
            context.Response.RegisterForDispose(document);
            if (!IsText(document.RootElement))
                throw new RequestException(400, "the body is no JSON: it has bytes that are not UTF-8, or half a surrogate pair",
                    code: "invalid_json");
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document
                : throw new Field("", document.RootElement).Wrong("a JSON object");
        }
        catch (JsonException e)
        {
            throw new RequestException(400, $"the body is no JSON: line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1}",
                code: "invalid_json");
        }
        catch (BadHttpRequestException e)
        {
            throw new RequestException(e.StatusCode, e.StatusCode == 413
                ? "the body is larger than this server takes"
                : "the body did not come as it should", code: "invalid_body");
        }
    }

    /// <summary>All bytes. Of a body that is too long the rest is read and forgotten, so that the answer arrives.</summary>
    static async Task<ReadOnlyMemory<byte>> ReadBytes(HttpContext context)
    {
        BodyLimit? limit = context.Features.Get<BodyLimit>();
        using MemoryStream bytes = new((int)Math.Min(context.Request.ContentLength ?? 0, limit?.Bytes ?? MostAtOnce));
        byte[] buffer = ArrayPool<byte>.Shared.Rent(1 << 16);
        try
        {
            bool isTooLong = false;
            for (int read; (read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0;)
                if (!(isTooLong |= bytes.Length + read > (limit?.Bytes ?? long.MaxValue)))
                    bytes.Write(buffer, 0, read);
            return isTooLong ? throw limit!.TooLong() : bytes.GetBuffer().AsMemory(0, (int)bytes.Length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>
    /// Whether all strings are Unicode: the parser takes any bytes and escapes, and whoever read such a string would fail.
    /// </summary>
    static bool IsText(JsonElement root)
    {
        ReadOnlySpan<byte> bytes = JsonMarshal.GetRawUtf8Value(root);
        if (!Utf8.IsValid(bytes))
            return false;
        bool hasSurrogates = bytes.IndexOf(@"\ud"u8) >= 0 || bytes.IndexOf(@"\uD"u8) >= 0;
        try
        {
            if (hasSurrogates)
                ReadStrings(root);
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    static void ReadStrings(JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.String)
            _ = value.GetString();
        else if (value.ValueKind == JsonValueKind.Array)
            foreach (JsonElement item in value.EnumerateArray())
                ReadStrings(item);
        else if (value.ValueKind == JsonValueKind.Object)
            foreach (JsonProperty member in value.EnumerateObject())
            {
                _ = member.Name;
                ReadStrings(member.Value);
            }
    }
}
