using System.Text.Json;

namespace Kvasir.Formats;

/// <summary>Reads a JSON file that is not trusted.</summary>
static class JsonFile
{
    /// <summary>Above any real vocabulary (33 MB), and what a machine holds easily.</summary>
    const int MostBytes = 256 << 20;

    /// <exception cref="ModelFormatException">It cannot be read, is too large or no valid JSON, or has a name twice.</exception>
    public static JsonDocument Read(string path)
    {
        try
        {
            using FileStream file = File.OpenRead(path);
            if (file.Length > MostBytes)
                throw ModelFormatException.At(path, "file", $"{file.Length} bytes", $"at most {MostBytes}");
            return JsonDocument.Parse(file, new JsonDocumentOptions { AllowDuplicateProperties = false });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or JsonException)
        {
            throw new ModelFormatException($"{Printable.Line(path, 4096)}: {(e is JsonException ? "no valid JSON" : "cannot be read")}: "
                + $"{Printable.Line(e.Message, 512)}", e);
        }
    }
}
