using System.Text.Json.Nodes;
using Kvasir.Inference.Chat;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>A place in a conversation up to which a client wants its cache kept.</summary>
/// <param name="Message">The message's number.</param>
/// <param name="Characters">How much of its content comes before.</param>
/// <param name="Ttl">For how long.</param>
sealed record Breakpoint(int Message, int Characters, TimeSpan Ttl);

/// <summary>A conversation that a request brings, whatever protocol it came by.</summary>
sealed class ChatInput : ChatTranscript
{
    /// <summary>Most tools of a request.</summary>
    public const int MostTools = 256;

    const int MostNameCharacters = 128; // Anthropic's limit; OpenAI's is half of it

    /// <summary>Up to where the cache is to be kept; the last one counts.</summary>
    public List<Breakpoint> Breakpoints { get; } = [];

    /// <summary>Further variables of the template; null for none.</summary>
    public JsonObject? More { get; set; }

    /// <summary>
    /// Tools of servers that run them themselves: the model does not hear of them, and the client hears that it does not.
    /// </summary>
    public List<string> Skipped { get; } = [];

    /// <summary>Whether the last message is one of the assistant's that may go on: it calls nothing.</summary>
    public bool EndsWithAnswer => IsAnswer(1) && (OpenText is not "");

    /// <summary>Whether the last two messages are the assistant's.</summary>
    public bool EndsWithTwoAnswers => IsAnswer(1) && IsAnswer(2);

    /// <summary>What the last message says, or thinks if it says nothing.</summary>
    public string OpenText => (string?)Messages[^1]!["content"] is { Length: > 0 } content
        ? content : (string?)Messages[^1]!["reasoning_content"] ?? "";

    bool IsAnswer(int fromEnd) => Messages.Count >= fromEnd && (string?)Messages[^fromEnd]!["role"] == "assistant"
        && Messages[^fromEnd]!["tool_calls"] is null;

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
        AddTool(tool, description, parameters.Kept);
    }

    /// <summary>The tokens of the conversation.</summary>
    /// <param name="model">The model that is asked.</param>
    /// <param name="choice">Whether the model hears of the tools.</param>
    /// <param name="thinking">How it is to think; its template hears of it.</param>
    /// <param name="end">What they end with.</param>
    /// <param name="most">So many are wanted; of a conversation that certainly has more, only the first come, and more than so
    /// many.</param>
    public ChatPrompt Write(ServedModel model, ToolChoice choice, Thinking thinking, PromptEnd end = PromptEnd.Answer,
        int most = int.MaxValue)
    {
        More = thinking.Effort.Variables(More);
        return model.Prompts.Write(Said(Messages, model), Offered(choice), Variables(model), end, most);
    }

    /// <summary>With what the system says by default, where it says nothing.</summary>
    static JsonArray Said(JsonArray messages, ServedModel model) =>
        model.Defaults.SystemPrompt is not { } system || messages is [{ } first, ..] && (string?)first["role"] is "system" or "developer"
            ? messages
            : [new JsonObject { ["role"] = "system", ["content"] = system }, .. messages.Select(message => message!.DeepClone())];

    JsonObject? Variables(ServedModel model)
    {
        if (model.Defaults.TemplateVariables is not { } usual)
            return More;
        JsonObject all = (JsonObject)usual.DeepClone();
        foreach ((string name, JsonNode? value) in More ?? [])
            all[name] = value?.DeepClone();
        return all;
    }

    /// <summary>How many tokens of a prompt come before a place in the conversation.</summary>
    public int TokensBefore(Breakpoint place, ServedModel model, ToolChoice choice, int[] prompt)
    {
        JsonArray before = [.. Messages.Take(place.Message + 1).Select(message => message!.DeepClone())];
        JsonNode last = before[^1]!;
        last["content"] = ((string?)last["content"] ?? "")[..place.Characters];
        return Beginning(before, model, choice, prompt);
    }

    /// <summary>
    /// How many tokens of a prompt come before the last message of a user, which asks, with all that follows it. Null where nothing does:
    /// all is question.
    /// </summary>
    public int? TokensBeforeQuestion(ServedModel model, ToolChoice choice, int[] prompt)
    {
        int question = Messages.Count - 1;
        while (question > 0 && (string?)Messages[question]!["role"] != "user")
            question--;
        return question <= 0 ? null
            : Beginning([.. Messages.Take(question).Select(message => message!.DeepClone())], model, choice, prompt);
    }

    int Beginning(JsonArray messages, ServedModel model, ToolChoice choice, int[] prompt) =>
        model.Prompts.EncodeBeginning(Said(messages, model), Offered(choice), Variables(model)).AsSpan().CommonPrefixLength(prompt);

    JsonArray? Offered(ToolChoice choice) => choice.Kind == ToolChoiceKind.None ? null
        : !choice.HidesOthers ? ToolDefinitions
        : [.. ToolDefinitions!.Where(tool => choice.Tools.Any(allowed => allowed.Name == (string?)tool!["function"]!["name"]))
            .Select(tool => tool!.DeepClone())];
}
