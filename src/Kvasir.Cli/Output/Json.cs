using System.Text.Encodings.Web;
using System.Text.Json;

namespace Kvasir.Cli.Output;

/// <summary>
/// What <c>--json</c> prints: one object on one line, fields in snake case, letters of all scripts as they are. Each folder lists what it
/// prints.
/// </summary>
static class Json
{
    /// <summary>A new object, because a context makes it its own.</summary>
    public static JsonSerializerOptions Options() => new()
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };
}
