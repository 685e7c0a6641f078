using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Kvasir.Inference.Chat;

/// <summary>
/// Writes tools, calls of them and their results into the texts of a conversation, for models whose chat template knows none of these: the
/// system says which tools there are and how one is called, an earlier call is a text of the model's, and a result is one of the user's.
/// </summary>
public static class GenericTools
{
    static readonly JsonSerializerOptions s_plain = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The same conversation in texts alone.</summary>
    /// <param name="messages">Messages, perhaps with <c>tool_calls</c> and of the role <c>tool</c>.</param>
    /// <param name="tools">The tools that may be called; null for none.</param>
    public static JsonArray Write(JsonArray messages, JsonArray? tools)
    {
        ArgumentNullException.ThrowIfNull(messages);
        JsonArray written = [];
        foreach (JsonNode? message in messages)
            Add(written, (JsonObject)message!);
        if (tools is { Count: > 0 })
            AddInstruction(written, Instruction(tools));
        return written;
    }

    /// <summary>
    /// The same conversation with what the system says in front of what the user says first, for templates without a system.
    /// </summary>
    public static JsonArray WithoutSystem(JsonArray messages)
    {
        ArgumentNullException.ThrowIfNull(messages);
        JsonArray rest = [.. messages.Skip(1).Select(message => message!.DeepClone())];
        if (rest is [JsonObject first, ..] && Role(first) == "user")
            first["content"] = $"{Content(messages[0]!)}\n\n{Content(first)}";
        else
            rest.Insert(0, new JsonObject { ["role"] = "user", ["content"] = Content(messages[0]!) });
        return rest;
    }

    static void Add(JsonArray written, JsonObject message)
    {
        var copy = (JsonObject)message.DeepClone();
        if (copy["tool_calls"] is JsonArray calls)
        {
            copy.Remove("tool_calls");
            copy["content"] = string.Join('\n', calls.Select(call => Call(call!)).Prepend(Content(copy)).Where(text => text.Length > 0));
        }
        bool isResult = Role(copy) == "tool";
        if (isResult)
            copy = new JsonObject { ["role"] = "user", ["content"] = $"<tool_response>\n{Content(copy)}\n</tool_response>" };
        if (Role(copy) == "user" && written is [.., JsonObject last] && Role(last) == "user"
            && (isResult || Content(last).EndsWith("</tool_response>", StringComparison.Ordinal)))
            last["content"] = $"{Content(last)}\n{Content(copy)}"; // what a user says in one turn is one message
        else
            written.Add((JsonNode)copy);
    }

    static string Call(JsonNode call) => "<tool_call>\n{\"name\": " + call["function"]!["name"]!.ToJsonString(s_plain)
        + ", \"arguments\": " + (call["function"]!["arguments"]?.ToJsonString(s_plain) ?? "{}") + "}\n</tool_call>";

    static string Instruction(JsonArray tools)
    {
        var text = new StringBuilder("You may call tools. Each is described by a line of JSON:\n<tools>\n");
        foreach (JsonNode? tool in tools)
            text.Append((tool!["function"] ?? tool).ToJsonString(s_plain)).Append('\n');
        return text.Append("</tools>\nTo call one, answer with its name and arguments in this form, and with nothing behind it:\n"
            + "<tool_call>\n{\"name\": \"…\", \"arguments\": {…}}\n</tool_call>\n"
            + "Its result comes between <tool_response> tags.").ToString();
    }

    static void AddInstruction(JsonArray written, string instruction)
    {
        if (written is [JsonObject first, ..] && Role(first) == "system")
            first["content"] = $"{Content(first)}\n\n{instruction}";
        else
            written.Insert(0, new JsonObject { ["role"] = "system", ["content"] = instruction });
    }

    static string Role(JsonNode message) => (string?)message["role"] ?? "";

    static string Content(JsonNode message) => (string?)message["content"] ?? "";
}
