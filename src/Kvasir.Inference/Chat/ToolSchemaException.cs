using Kvasir.Formats;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Schemas;

namespace Kvasir.Inference.Chat;

/// <summary>
/// The schema of a tool's arguments cannot be held to. The message is one line: which tool, and what is wrong where in its schema.
/// </summary>
/// <param name="index">The tool's number among those given.</param>
/// <param name="name">Its name.</param>
/// <param name="schema">What is wrong.</param>
public sealed class ToolSchemaException(int index, string name, JsonSchemaException schema)
    : Exception($"tools[{index}] ({Printable.Line(name, 64)}): {schema.Message}", schema)
{
    /// <summary>The tool's number among those given.</summary>
    public int Index => index;
}
