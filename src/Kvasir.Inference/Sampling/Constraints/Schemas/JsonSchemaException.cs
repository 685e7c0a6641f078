using Kvasir.Formats;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>A schema cannot be used. The message is one line: <c>where in the schema: what was seen, expected what</c>.</summary>
public sealed class JsonSchemaException(string message) : Exception(message)
{
    /// <summary>
    /// Composes the line. The pointer is JSON's, with a leading #; <paramref name="seen"/> may quote the schema only
    /// through <see cref="Printable"/>.
    /// </summary>
    internal static JsonSchemaException At(string pointer, string seen, string expected) =>
        new($"{Printable.Line(pointer, limit: 400)}: {seen}, expected {expected}");
}
