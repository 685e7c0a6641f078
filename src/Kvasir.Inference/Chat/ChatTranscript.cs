using System.Text.Json;
using System.Text.Json.Nodes;

namespace Kvasir.Inference.Chat;

/// <summary>A conversation as chat templates know it, whatever it was written in before.</summary>
public class ChatTranscript
{
    /// <summary>Objects with <c>role</c>, <c>content</c> and what belongs to calls of tools.</summary>
    public JsonArray Messages { get; } = [];

    /// <summary>Tool definitions in OpenAI's form; null without any.</summary>
    public JsonArray? ToolDefinitions { get; private set; }

    /// <summary>The tools.</summary>
    public List<Tool> Tools { get; } = [];

    /// <summary>Appends a message.</summary>
    /// <param name="role">Who speaks, such as <c>user</c>.</param>
    /// <param name="content">What is said; null for nothing.</param>
    /// <param name="more">Adds to the message what else it has.</param>
    public void Add(string role, string? content, Action<JsonObject>? more = null)
    {
        JsonObject message = new() { ["role"] = role, ["content"] = content ?? "" };
        more?.Invoke(message);
        Messages.Add((JsonNode)message);
    }

    /// <summary>Appends what the model thought: the beginning of its next message.</summary>
    public void AddThoughts(string thoughts)
    {
        if (!string.IsNullOrEmpty(thoughts))
            Add("assistant", null, message => message["reasoning_content"] = thoughts);
    }

    /// <summary>Appends what the model said, to its message if it has only thought so far.</summary>
    public void AddText(string text)
    {
        if (Messages is [.., JsonObject last] && (string?)last["role"] == "assistant" && last["reasoning_content"] is not null
            && (string?)last["content"] is "" && last["tool_calls"] is null)
            last["content"] = text;
        else
            Add("assistant", text);
    }

    /// <summary>
    /// Appends a call of the model's, to its message if it has just said something: what a model says and calls in one turn is one message.
    /// </summary>
    /// <param name="id">Its name in the conversation.</param>
    /// <param name="name">The tool.</param>
    /// <param name="arguments">Its arguments as JSON, or whatever the model wrote instead.</param>
    public void AddCall(string id, string name, string arguments)
    {
        if (Messages is not [.., var last] || (string?)last!["role"] != "assistant")
            Add("assistant", null);
        JsonNode message = Messages[^1]!;
        if (message["tool_calls"] is not JsonArray calls)
            message["tool_calls"] = calls = [];
        calls.Add((JsonNode)Call(id, name, arguments));
    }

    /// <summary>Offers a tool.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it is for; null for nothing said.</param>
    /// <param name="parameters">JSON schema of its arguments; undefined for any object.</param>
    public void AddTool(string name, string? description, JsonElement parameters)
    {
        JsonObject function = new() { ["name"] = name, ["description"] = description ?? "" };
        if (parameters.ValueKind == JsonValueKind.Object)
            function["parameters"] = JsonNode.Parse(parameters.GetRawText());
        (ToolDefinitions ??= []).Add((JsonNode)new JsonObject { ["type"] = "function", ["function"] = function });
        Tools.Add(new Tool(name, parameters));
    }

    /// <summary>A call that the model made in an earlier turn, as <c>tool_calls</c> of a message holds it.</summary>
    /// <param name="id">Its name in the conversation.</param>
    /// <param name="name">The tool.</param>
    /// <param name="arguments">Its arguments as JSON, or whatever the model wrote instead.</param>
    public static JsonObject Call(string id, string name, string arguments)
    {
        // templates write arguments as JSON themselves; what is none they get as it is
        JsonNode? parsed = WrittenJson.Parse(arguments) is null ? null : JsonNode.Parse(arguments);
        return new JsonObject
        {
            ["id"] = id, ["type"] = "function", ["function"] = new JsonObject { ["name"] = name, ["arguments"] = parsed ?? arguments },
        };
    }
}
