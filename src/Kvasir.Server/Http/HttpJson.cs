using System.Text.Json.Serialization;

namespace Kvasir.Server.Http;

/// <summary>Errors and signs of life, as JSON.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(ErrorBody))]
[JsonSerializable(typeof(AnthropicError))]
[JsonSerializable(typeof(OllamaError))]
[JsonSerializable(typeof(HealthStatus))]
sealed partial class HttpJson : JsonSerializerContext
{
    /// <summary>The same for answers that are written whole.</summary>
    public static HttpJson Wire { get; } = new(Http.Wire.Options());
}
