using System.Security.Cryptography;
using System.Text.Json;

namespace Kvasir.Inference.Chat;

/// <summary>A call that the model wants made.</summary>
/// <param name="Id">Its name in the conversation.</param>
/// <param name="Name">The tool.</param>
/// <param name="Arguments">Its arguments, as JSON.</param>
public sealed record ToolCall(string Id, string Name, string Arguments)
{
    /// <summary>A call of which only the name is known.</summary>
    public static ToolCall New(string name) => new($"call_{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(12))}", name, "");

    /// <summary>Reads <c>{"name": …, "arguments": {…}}</c>, as models write it; null when it is something else.</summary>
    public static ToolCall? Parse(string json) => WrittenJson.Parse(json) is { } call ? Of(call) : null;

    /// <summary>Reads a call; null when it is none.</summary>
    public static ToolCall? Of(JsonElement call)
    {
        if (call.ValueKind != JsonValueKind.Object || !call.TryGetProperty("name", out JsonElement name)
            || name.ValueKind != JsonValueKind.String)
            return null;
        if (!call.TryGetProperty("arguments", out JsonElement arguments) && !call.TryGetProperty("parameters", out arguments))
            return null;
        string text = arguments.ValueKind == JsonValueKind.String ? arguments.GetString()! : arguments.GetRawText();
        return New(name.GetString()!) with { Arguments = text };
    }
}
