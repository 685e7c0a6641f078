using System.Text.Json;
using System.Text.Json.Serialization;

namespace Kvasir.Cli.Sessions;

/// <summary>What a transcript is made of.</summary>
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
[JsonSerializable(typeof(SessionTurn))]
sealed partial class SessionJson : JsonSerializerContext
{
    static readonly SessionJson s_readable = new(Json.Options());

    public static string ToText<T>(T value) => JsonSerializer.Serialize(value, typeof(T), s_readable);
}
