using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Kvasir.Server.LlamaServer;

/// <summary>All that the endpoints of llama-server write as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(CompletionAnswer))]
[JsonSerializable(typeof(CompletionChunk))]
[JsonSerializable(typeof(JsonNode))]
[JsonSerializable(typeof(PropsAnswer))]
[JsonSerializable(typeof(SlotState[]))]
[JsonSerializable(typeof(SlotSaved))]
[JsonSerializable(typeof(SlotRestored))]
[JsonSerializable(typeof(SlotErased))]
[JsonSerializable(typeof(TextVector[]))]
[JsonSerializable(typeof(TokenList))]
[JsonSerializable(typeof(TokenText))]
[JsonSerializable(typeof(TokenizerInfo))]
[JsonSerializable(typeof(WrittenPrompt))]
sealed partial class LlamaServerJson : JsonSerializerContext
{
    /// <summary>The same for answers that are written whole.</summary>
    public static LlamaServerJson Wire { get; } = new(Http.Wire.Options());
}
