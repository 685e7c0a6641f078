using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Schemas;

namespace Kvasir.Inference.Chat;

/// <summary>How a family of models writes calls of tools.</summary>
/// <param name="Begin">What stands before a call; empty when the call is the whole answer.</param>
/// <param name="End">What stands behind it.</param>
/// <param name="Arguments">The name of the member that holds the arguments.</param>
/// <param name="InList">Whether calls stand in a JSON list.</param>
public sealed record ToolFormat(string Begin, string End, string Arguments, bool InList)
{
    static readonly ToolFormat s_tagged = new("<tool_call>\n", "\n</tool_call>", "arguments", false); // Hermes, Qwen
    static readonly ToolFormat s_list = new("", "", "arguments", true); // Mistral: its marker is a control token, which no text shows
    static readonly ToolFormat s_object = new("", "", "parameters", false); // Llama 3

    /// <summary>The format that a chat template speaks of; null when it knows no tools.</summary>
    public static ToolFormat? Of(string template)
    {
        ArgumentNullException.ThrowIfNull(template);
        if (!template.Contains("tools", StringComparison.Ordinal))
            return null;
        if (template.Contains("<tool_call>", StringComparison.Ordinal))
            return s_tagged;
        return template.Contains("[TOOL_CALLS]", StringComparison.Ordinal) ? s_list : s_object;
    }

    /// <summary>What an answer that calls at least one of these tools may be.</summary>
    /// <param name="tools">At least one.</param>
    /// <param name="several">Whether more than one call may come.</param>
    /// <exception cref="ToolSchemaException">A tool's schema cannot be held to.</exception>
    public OutputGrammar Calls(IReadOnlyList<Tool> tools, bool several)
    {
        ArgumentNullException.ThrowIfNull(tools);
        OutputGrammar call = OutputGrammar.AnyOf([.. tools.Select(Call)]);
        OutputGrammar calls = several ? OutputGrammar.Repeat(call, OutputGrammar.Literal(InList ? ", " : "\n")) : call;
        return InList ? OutputGrammar.Sequence(OutputGrammar.Literal("["), calls, OutputGrammar.Literal("]")) : calls;
    }

    OutputGrammar Call(Tool tool, int index)
    {
        try
        {
            return OutputGrammar.Sequence(
                OutputGrammar.Literal(
                    $"{Begin}{{\"name\": {JsonEncodedText.Encode(tool.Name) switch { var name => $"\"{name}\"" }}, \"{Arguments}\": "),
                tool.Parameters.ValueKind == JsonValueKind.Object ? OutputGrammar.JsonSchema(tool.Parameters) : OutputGrammar.JsonObject(),
                OutputGrammar.Literal($"}}{End}"));
        }
        catch (JsonSchemaException e)
        {
            throw new ToolSchemaException(index, tool.Name, e);
        }
    }
}
