using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Kvasir.Server.Accounting;

namespace Kvasir.Server.Anthropic;

/// <summary>All that the Anthropic endpoints write as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(Message))]
[JsonSerializable(typeof(MessageEvent))]
[JsonSerializable(typeof(MessageTokens))]
sealed partial class AnthropicJson : JsonSerializerContext
{
    /// <summary>The same for answers that are written whole.</summary>
    public static AnthropicJson Wire { get; } = new(Http.Wire.Options());
}
