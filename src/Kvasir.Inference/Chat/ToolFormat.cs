using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Schemas;

namespace Kvasir.Inference.Chat;

/// <summary>Ways to write calls of tools.</summary>
public enum ToolStyle
{
    /// <summary>Each as a JSON object between tags: Hermes, Qwen, and models whose template knows no tools.</summary>
    Tagged,

    /// <summary>The whole answer as a list of JSON objects, perhaps behind a marker: Mistral.</summary>
    List,

    /// <summary>The whole answer as a JSON object: Llama 3.</summary>
    Object,

    /// <summary>Each as a marker, a name, a marker and arguments: Mistral since its eleventh tokenizer.</summary>
    Named,

    /// <summary>Each as a message to the function: gpt-oss.</summary>
    Harmony,
}

/// <summary>How a family of models writes calls of tools.</summary>
/// <param name="Style">The way.</param>
/// <param name="Begin">What stands before a call.</param>
/// <param name="End">What stands behind it.</param>
/// <param name="Arguments">The name of the member that holds the arguments.</param>
public sealed record ToolFormat(ToolStyle Style, string Begin = "", string End = "", string Arguments = "arguments")
{
    const string Marker = "[TOOL_CALLS]", ArgumentsMarker = "[ARGS]";

    static readonly ToolFormat s_tagged = new(ToolStyle.Tagged, "<tool_call>\n", "\n</tool_call>");
    static readonly ToolFormat s_list = new(ToolStyle.List, Marker);
    static readonly ToolFormat s_named = new(ToolStyle.Named, Marker, ArgumentsMarker);
    static readonly ToolFormat s_object = new(ToolStyle.Object, Arguments: "parameters");
    static readonly ToolFormat s_harmony = new(ToolStyle.Harmony, "commentary to=functions.", " <|constrain|>json<|message|>");

    /// <summary>What models are asked for whose template knows no tools: see <see cref="GenericTools"/>.</summary>
    public static ToolFormat Generic { get; } = s_tagged with { IsGeneric = true };

    /// <summary>Whether the model was never taught it: then prompts explain it, and answers are held to it.</summary>
    public bool IsGeneric { get; private init; }

    /// <summary>What of it are control tokens, where the vocabulary has them as such.</summary>
    internal IReadOnlyList<string> Markers => Style switch
    {
        ToolStyle.List => [Marker],
        ToolStyle.Named => [Marker, ArgumentsMarker, "[CALL_ID]"],
        ToolStyle.Tagged => [Begin.Trim(), End.Trim()],
        _ => [],
    };

    /// <summary>The format that a chat template speaks of; the generic one when it knows no tools.</summary>
    public static ToolFormat Of(string template)
    {
        ArgumentNullException.ThrowIfNull(template);
        if (!template.Contains("tools", StringComparison.Ordinal))
            return Generic;
        if (ThoughtFormat.Of(template) is { IsHarmony: true })
            return s_harmony;
        if (template.Contains("<tool_call>", StringComparison.Ordinal))
            return s_tagged;
        if (!template.Contains(Marker, StringComparison.Ordinal))
            return s_object;
        return template.Contains(ArgumentsMarker, StringComparison.Ordinal) ? s_named : s_list;
    }

    /// <summary>What an answer that calls at least one of these tools may be.</summary>
    /// <param name="tools">At least one.</param>
    /// <param name="several">Whether more than one call may come.</param>
    /// <param name="isLoose">Whether arguments may be any object where a schema cannot be held to.</param>
    /// <exception cref="ToolSchemaException">A tool's schema cannot be held to.</exception>
    public OutputGrammar Calls(IReadOnlyList<Tool> tools, bool several, bool isLoose = false)
    {
        ArgumentNullException.ThrowIfNull(tools);
        OutputGrammar call = OutputGrammar.AnyOf([.. tools.Select((tool, index) => Call(tool, index, isLoose))]);
        OutputGrammar calls = several && Style != ToolStyle.Harmony ? OutputGrammar.Repeat(call, OutputGrammar.Literal(Between)) : call;
        return Style == ToolStyle.List
            ? OutputGrammar.Sequence(OutputGrammar.OneOf([$"{Begin}[", $"{Begin} ["]), calls, OutputGrammar.Literal("]"))
            : calls;
    }

    string Between => Style switch { ToolStyle.List => ", ", ToolStyle.Named => "", _ => "\n" };

    OutputGrammar Call(Tool tool, int index, bool isLoose)
    {
        string name = $"\"{JsonEncodedText.Encode(tool.Name)}\"";
        (string before, string behind) = Style switch
        {
            ToolStyle.Named or ToolStyle.Harmony => ($"{Begin}{tool.Name}{End}", ""),
            ToolStyle.Tagged => ($"{Begin}{{\"name\": {name}, \"{Arguments}\": ", $"}}{End}"),
            _ => ($"{{\"name\": {name}, \"{Arguments}\": ", "}"),
        };
        return OutputGrammar.Sequence(OutputGrammar.Literal(before), Schema(tool, index, isLoose), OutputGrammar.Literal(behind));
    }

    static OutputGrammar Schema(Tool tool, int index, bool isLoose)
    {
        try
        {
            return tool.Parameters.ValueKind == JsonValueKind.Object
                ? OutputGrammar.JsonSchema(tool.Parameters) : OutputGrammar.JsonObject();
        }
        catch (JsonSchemaException) when (isLoose)
        {
            return OutputGrammar.JsonObject();
        }
        catch (JsonSchemaException e)
        {
            throw new ToolSchemaException(index, tool.Name, e);
        }
    }
}
