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
sealed record ToolChoice(ToolChoiceKind Kind, IReadOnlyList<Tool> Tools)
{
    public static ToolChoice Read(Field field, ChatInput input)
    {
        if (field.IsObject)
            return Named(field["function"] is { IsAbsent: false } function ? function["name"] : field["name"], input);
        string word = field.OneOf("none", "auto", "required", "any") ?? "auto";
        if (word is "required" or "any" && input.Tools.Count == 0)
            throw field.Wrong("tools to choose from");
        ToolChoiceKind some = word == "auto" ? ToolChoiceKind.Auto : ToolChoiceKind.Required;
        return new ToolChoice(word == "none" || input.Tools.Count == 0 ? ToolChoiceKind.None : some, input.Tools);
    }

    /// <summary>The same, if the model can do it.</summary>
    public ToolChoice For(ServedModel model) =>
        Kind == ToolChoiceKind.None || model.Prompts.Tools is not null
            ? this
            : throw new RequestException(400, "tools: this model's chat template has none", "tools", "tools_not_supported");

    public static ToolChoice Named(Field name, ChatInput input) =>
        input.Tools.Find(tool => tool.Name == name.Text(256)) is { } tool
            ? new ToolChoice(ToolChoiceKind.Required, [tool])
            : throw name.Wrong("the name of one of the tools");
}
