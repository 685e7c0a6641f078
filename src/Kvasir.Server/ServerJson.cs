using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using Kvasir.Server.Anthropic;
using Kvasir.Server.Http;
using Kvasir.Server.Kv;
using Kvasir.Server.OpenAi;
using Kvasir.Server.Serving;

namespace Kvasir.Server;

/// <summary>All that the server writes as JSON: fields in snake case, letters of all scripts as they are.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(AnthropicError))]
[JsonSerializable(typeof(ChatCompletion))]
[JsonSerializable(typeof(ChatChunk))]
[JsonSerializable(typeof(TextCompletion))]
[JsonSerializable(typeof(Response))]
[JsonSerializable(typeof(ResponseEvent))]
[JsonSerializable(typeof(ResponseInputTokens))]
[JsonSerializable(typeof(Message))]
[JsonSerializable(typeof(MessageEvent))]
[JsonSerializable(typeof(MessageTokens))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(EmbeddingList))]
[JsonSerializable(typeof(float[]))]
[JsonSerializable(typeof(TokenList))]
[JsonSerializable(typeof(TokenText))]
[JsonSerializable(typeof(HealthStatus))]
[JsonSerializable(typeof(KvStats))]
[JsonSerializable(typeof(KvTreeAnswer))]
[JsonSerializable(typeof(KvLookupAnswer))]
[JsonSerializable(typeof(KvPinned))]
[JsonSerializable(typeof(KvUnpinned))]
[JsonSerializable(typeof(KvEvicted))]
[JsonSerializable(typeof(KvImported))]
[JsonSerializable(typeof(RequestRecord))]
[JsonSerializable(typeof(KvRequests))]
sealed partial class ServerJson : JsonSerializerContext
{
    /// <summary>What must not stand in JSON is escaped; the rest is readable. No page takes it as markup: it is sent as JSON.</summary>
    public static JavaScriptEncoder Encoder => JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>The same for answers that are written whole.</summary>
    public static ServerJson Wire { get; } = new(new JsonSerializerOptions { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, Encoder = Encoder });
}

/// <summary>The answer of <c>/health</c>.</summary>
sealed record HealthStatus(string Status);
