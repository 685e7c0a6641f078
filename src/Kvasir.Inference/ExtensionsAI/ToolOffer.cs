using Kvasir.Formats;
using Microsoft.Extensions.AI;

namespace Kvasir.Inference.ExtensionsAI;

/// <summary>The tools that a call offers to the model.</summary>
/// <param name="Tools">The tools.</param>
/// <param name="IsDemand">Whether the model has to call one.</param>
/// <param name="Name">Which one; null for any.</param>
sealed record ToolOffer(IReadOnlyList<AIFunctionDeclaration> Tools, bool IsDemand, string? Name)
{
    /// <exception cref="NotSupportedException">A tool is not a function.</exception>
    /// <exception cref="ArgumentException">A tool is demanded that is not there.</exception>
    public static ToolOffer Of(ChatOptions options)
    {
        AIFunctionDeclaration[] tools = options.ToolMode is NoneChatToolMode ? [] : [.. (options.Tools ?? []).Select(Function)];
        if (options.ToolMode is not RequiredChatToolMode demand)
            return new ToolOffer(tools, false, null);
        if (!tools.Any(tool => demand.RequiredFunctionName is null || tool.Name == demand.RequiredFunctionName))
            throw new ArgumentException($"ToolMode: requires {Printable.Quote(demand.RequiredFunctionName ?? "any tool")}, expected one of "
                + $"the {tools.Length} in Tools");
        return new ToolOffer(tools, true, demand.RequiredFunctionName);
    }

    static AIFunctionDeclaration Function(AITool tool, int index) =>
        tool as AIFunctionDeclaration ?? throw new NotSupportedException(
            $"Tools[{index}]: {Printable.Line(tool.GetType().Name)} needs a service behind it, expected a function");
}
