namespace Kvasir.Formats;

/// <summary>A model file is not what it should be. The message is one line: <c>file: field: what was seen, expected what</c>.</summary>
public sealed class ModelFormatException : Exception
{
    /// <summary>Creates the exception from a finished line.</summary>
    public ModelFormatException(string message) : base(message) { }

    /// <summary>Creates the exception from a finished line and what caused it.</summary>
    public ModelFormatException(string message, Exception innerException) : base(message, innerException) { }

    /// <summary>
    /// Composes the line. <paramref name="field"/> and <paramref name="seen"/> may quote the file only through <see cref="Printable"/>.
    /// </summary>
    public static ModelFormatException At(string path, string field, string seen, string expected) =>
        new($"{Printable.Line(path, limit: 4096)}: {field}: {seen}, expected {expected}");
}
