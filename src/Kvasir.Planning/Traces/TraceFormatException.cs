using Kvasir.Formats;

namespace Kvasir.Planning.Traces;

/// <summary>A trace file is not what it should be. The message is one line: <c>FILE:LINE: field 'x': saw …, expected …</c>.</summary>
public sealed class TraceFormatException : Exception
{
    /// <summary>Creates the exception from a finished line.</summary>
    public TraceFormatException(string message) : base(message) { }

    /// <summary>Composes the line. <paramref name="seen"/> may quote the file only through <see cref="Printable"/>.</summary>
    /// <param name="path">The file.</param>
    /// <param name="line">Its line, from 1.</param>
    /// <param name="field">Name of the field; null when the line as a whole is wrong.</param>
    /// <param name="seen">What is there.</param>
    /// <param name="expected">What should be.</param>
    public static TraceFormatException At(string path, long line, string? field, string seen, string expected) =>
        new($"{Printable.Line(path, limit: 4096)}:{line}: {(field is null ? "" : $"field '{field}': ")}saw {seen}, expected {expected}");
}
