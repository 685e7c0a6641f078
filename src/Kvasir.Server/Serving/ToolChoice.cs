using Kvasir.Inference.Chat;
using Kvasir.Server.Http;

namespace Kvasir.Server.Serving;

/// <summary>Whether the model may, or has to, call tools.</summary>
enum ToolChoiceKind
{
    /// <summary>It has none, or must not.</summary>
    None,

    /// <summary>It may.</summary>
    Auto,

    /// <summary>It has to.</summary>
    Required,
}

/// <summary>What <c>tool_choice</c> says.</summary>
/// <param name="Kind">Whether tools are called.</param>
/// <param name="Tools">Those that may be.</param>
/// <param name="HidesOthers">Whether the model does not hear of the others.</param>
sealed record ToolChoice(ToolChoiceKind Kind, IReadOnlyList<Tool> Tools, bool HidesOthers = false)
{
    const int MostNameCharacters = 256;

    /// <summary>Reads it as OpenAI's protocols have it.</summary>
    public static ToolChoice Read(Field field, ChatInput input)
    {
        if (field.IsObject && field["type"].Text(64) == "allowed_tools")
            return Allowed(field["allowed_tools"] is { IsAbsent: false } nested ? nested : field, input);
        if (field.IsObject)
            return Named(field["function"] is { IsAbsent: false } function ? function["name"] : field["name"], input);
        string word = field.OneOf("none", "auto", "required", "any") ?? "auto";
        return word switch
        {
            "none" => new ToolChoice(ToolChoiceKind.None, []),
            "auto" => Of(ToolChoiceKind.Auto, input.Tools),
            _ when input.Tools.Count == 0 => throw field.Wrong("tools to choose from"),
            _ => Of(ToolChoiceKind.Required, input.Tools),
        };
    }

    /// <summary>The choice of one tool.</summary>
    public static ToolChoice Named(Field name, ChatInput input) => new(ToolChoiceKind.Required, [Find(name, input)]);

    /// <summary>The choice among tools, of which there may be none.</summary>
    public static ToolChoice Of(ToolChoiceKind kind, IReadOnlyList<Tool> tools) =>
        new(tools.Count == 0 ? ToolChoiceKind.None : kind, tools);

    /// <summary>Some of the tools: the model hears of no others, so it calls none.</summary>
    static ToolChoice Allowed(Field field, ChatInput input)
    {
        Tool[] tools = [.. field["tools"].Items(ChatInput.MostTools)
            .Select(tool => Find(tool["function"] is { IsAbsent: false } function ? function["name"] : tool["name"], input))];
        bool isRequired = field["mode"].OneOf("auto", "required") == "required";
        if (isRequired && tools.Length == 0)
            throw field["tools"].Wrong("tools to choose from");
        return Of(isRequired ? ToolChoiceKind.Required : ToolChoiceKind.Auto, tools) with { HidesOthers = true };
    }

    static Tool Find(Field name, ChatInput input) =>
        input.Tools.Find(tool => tool.Name == name.Text(MostNameCharacters)) ?? throw name.Wrong("the name of one of the tools");
}
