using System.Text.Encodings.Web;
using System.Text.Json;

namespace Kvasir.Server.Http;

/// <summary>
/// How the server writes JSON: fields in snake case, letters of all scripts as they are. Each folder lists what it writes itself.
/// </summary>
static class Wire
{
    /// <summary>What must not stand in JSON is escaped; the rest is readable. No page takes it as markup: it is sent as JSON.</summary>
    public static JavaScriptEncoder Encoder => JavaScriptEncoder.UnsafeRelaxedJsonEscaping;

    /// <summary>Options of answers that are written whole: a new object, because a context makes it its own.</summary>
    public static JsonSerializerOptions Options() => new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower, Encoder = Encoder };
}
