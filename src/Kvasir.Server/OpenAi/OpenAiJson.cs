using System.Text.Json.Nodes;
using System.Text.Json.Serialization;

namespace Kvasir.Server.OpenAi;

/// <summary>All that the OpenAI endpoints write as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ChatCompletion))]
[JsonSerializable(typeof(ChatChunk))]
[JsonSerializable(typeof(TextCompletion))]
[JsonSerializable(typeof(ModelList))]
[JsonSerializable(typeof(EmbeddingList))]
[JsonSerializable(typeof(float[]))]
[JsonSerializable(typeof(Response))]
[JsonSerializable(typeof(ResponseEvent))]
[JsonSerializable(typeof(ResponseInputTokens))]
sealed partial class OpenAiJson : JsonSerializerContext
{
    /// <summary>The same for answers that are written whole.</summary>
    public static OpenAiJson Wire { get; } = new(Http.Wire.Options());
}
