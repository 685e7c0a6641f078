using System.Text.Json.Nodes;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>A place in a conversation up to which a client wants its cache kept.</summary>
/// <param name="Message">The message's number.</param>
/// <param name="Characters">How much of its content comes before.</param>
/// <param name="Time">For how long.</param>
sealed record Breakpoint(int Message, int Characters, TimeSpan Time);

/// <summary>A conversation as chat templates know it, whatever protocol it came by.</summary>
sealed class ChatInput
{
    const int MostTools = 256, MostNameCharacters = 128; // Anthropic's limit; OpenAI's is half of it

    /// <summary>Objects with <c>role</c>, <c>content</c> and what belongs to calls of tools.</summary>
    public JsonArray Messages { get; } = [];

    /// <summary>Tool definitions in OpenAI's form; null without any.</summary>
    public JsonArray? ToolDefinitions { get; private set; }

    /// <summary>The tools.</summary>
    public List<Tool> Tools { get; } = [];

    /// <summary>Up to where the cache is to be kept; the last one counts.</summary>
    public List<Breakpoint> Breakpoints { get; } = [];

    public void Add(string role, string? content, Action<JsonObject>? more = null)
    {
        JsonObject message = new() { ["role"] = role, ["content"] = content ?? "" };
        more?.Invoke(message);
        Messages.Add(message);
    }

    /// <summary>A tool, with the schema of its arguments.</summary>
    public void AddTool(Field name, string? description, Field parameters)
    {
        string tool = name.Text(MostNameCharacters) ?? throw name.Missing("the tool's name");
        if (tool.Length == 0 || !tool.All(character => char.IsAsciiLetterOrDigit(character) || character is '_' or '-' or '.'))
            throw name.Wrong("letters, digits, '_', '-' and '.'");
        if (!parameters.IsAbsent && !parameters.IsObject)
            throw parameters.Wrong("a JSON schema");
        if (Tools.Count == MostTools)
            throw name.Wrong($"at most {MostTools} tools");
        JsonObject function = new() { ["name"] = tool, ["description"] = description ?? "" };
        if (parameters.IsObject)
            function["parameters"] = JsonNode.Parse(parameters.Json.GetRawText());
        (ToolDefinitions ??= []).Add(new JsonObject { ["type"] = "function", ["function"] = function });
        Tools.Add(new Tool(tool, parameters.Json));
    }

    /// <summary>A call that the model made in an earlier turn.</summary>
    public static JsonObject Call(string id, string name, string arguments)
    {
        JsonNode? parsed = null;
        try
        {
            parsed = JsonNode.Parse(arguments); // templates write arguments as JSON themselves
        }
        catch (System.Text.Json.JsonException)
        {
            // what the model wrote was none; the template gets it as it is
        }
        return new JsonObject { ["id"] = id, ["type"] = "function", ["function"] = new JsonObject { ["name"] = name, ["arguments"] = parsed ?? arguments } };
    }

    /// <summary>How many tokens of a prompt come before a place in the conversation.</summary>
    public int TokensBefore(Breakpoint place, ChatPrompts prompts, JsonObject? more, int[] prompt)
    {
        JsonArray before = [.. Messages.Take(place.Message + 1).Select(message => message!.DeepClone())];
        JsonNode last = before[^1]!;
        last["content"] = ((string?)last["content"] ?? "")[..place.Characters];
        int[] tokens = prompts.Encode(before, ToolDefinitions, more, opensAnswer: false);
        return tokens.AsSpan().CommonPrefixLength(prompt);
    }
}
