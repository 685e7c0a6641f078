using System.Text.Json;

namespace Kvasir.Serving;

/// <summary>Tokens as the server counts them.</summary>
/// <param name="Prompt">Of the prompt.</param>
/// <param name="Completion">Of the answer.</param>
/// <param name="Cached">Those of the prompt that it did not compute again; null if it does not say.</param>
readonly record struct TokenUsage(int Prompt, int Completion, int? Cached);

/// <summary>One event of a streamed answer.</summary>
/// <param name="Text">What it adds to the answer; may be empty.</param>
/// <param name="Usage">The tokens, in the event that tells them.</param>
/// <param name="Error">What went wrong, in an event that says so.</param>
readonly record struct ChatChunk(string Text, TokenUsage? Usage, string? Error)
{
    /// <summary>Reads an event; what it does not know it skips.</summary>
    public static ChatChunk Parse(string data)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(data);
            JsonElement root = document.RootElement;
            return new ChatChunk(TextOf(root), UsageOf(root), ErrorOf(root));
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            return new ChatChunk("", null, $"an event that is not as expected: {data[..Math.Min(data.Length, 100)]}");
        }
    }

    /// <summary>The message of an <c>error</c> object; null if there is none.</summary>
    static string? ErrorOf(JsonElement root) =>
        Member(root, "error") is not { ValueKind: not JsonValueKind.Null } error ? null :
        Member(error, "message") is { ValueKind: JsonValueKind.String } message ? message.GetString() : error.GetRawText();

    static string TextOf(JsonElement root)
    {
        if (Member(root, "choices") is not { ValueKind: JsonValueKind.Array } choices || choices.GetArrayLength() == 0)
            return "";
        JsonElement? delta = Member(choices[0], "delta");
        return String(delta, "reasoning_content") + String(delta, "content");
    }

    static TokenUsage? UsageOf(JsonElement root) =>
        Member(root, "usage") is { ValueKind: JsonValueKind.Object } usage
            ? new TokenUsage(
                Number(usage, "prompt_tokens") ?? 0,
                Number(usage, "completion_tokens") ?? 0,
                Number(Member(usage, "prompt_tokens_details"), "cached_tokens"))
            : null;

    static string? String(JsonElement? parent, string name) => Member(parent, name) is { ValueKind: JsonValueKind.String } text
        ? text.GetString()
        : null;

    static int? Number(JsonElement? parent, string name) => Member(parent, name) is { ValueKind: JsonValueKind.Number } number
        ? number.GetInt32()
        : null;

    static JsonElement? Member(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } element && element.TryGetProperty(name, out JsonElement value) ? value : null;
}
