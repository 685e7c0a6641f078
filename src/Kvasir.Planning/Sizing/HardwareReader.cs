using System.Globalization;
using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Planning.Sizing;

/// <summary>
/// Reads a device from a file of the user's: one JSON object with <c>name</c>, <c>source</c>, <c>memory_bytes_per_s</c>, <c>bf16_per_s</c>,
/// <c>int8_per_s</c>, <c>fp32_per_s</c> and <c>memory_bytes</c>. Only the bandwidth and one kind of operations must be there.
/// </summary>
public sealed class HardwareReader
{
    const int MostBytes = 1 << 16;
    const double Most = 1e21; // beyond any data centre, and far from infinity further on

    static readonly string[] s_fields = ["name", "source", "memory_bytes_per_s", "bf16_per_s", "int8_per_s", "fp32_per_s", "memory_bytes"];

    readonly string _path;
    readonly JsonElement _fields;

    HardwareReader(string path, JsonElement fields) => (_path, _fields) = (path, fields);

    /// <exception cref="IOException">The file cannot be read.</exception>
    /// <exception cref="ModelFormatException">It does not describe a device. The message is
    /// <c>file: field: seen, expected what</c>.</exception>
    public static Hardware Read(string path)
    {
        try
        {
            using JsonDocument document = JsonDocument.Parse(Bytes(path),
                new JsonDocumentOptions { MaxDepth = 4, AllowDuplicateProperties = false });
            return new HardwareReader(path, document.RootElement).Read();
        }
        catch (JsonException e)
        {
            throw ModelFormatException.At(path, $"line {e.LineNumber + 1}", "no JSON, or a field twice", "one JSON object");
        }
    }

    static ReadOnlyMemory<byte> Bytes(string path)
    {
        using FileStream file = File.OpenRead(path);
        byte[] bytes = new byte[MostBytes + 1];
        int length = file.ReadAtLeast(bytes, bytes.Length, throwOnEndOfStream: false);
        return length <= MostBytes
            ? bytes.AsMemory(0, length)
            : throw ModelFormatException.At(path, "size", $"more than {MostBytes:N0} bytes", "a description of a device");
    }

    Hardware Read()
    {
        if (_fields.ValueKind != JsonValueKind.Object)
            throw ModelFormatException.At(_path, "the whole", Kind(_fields), "one JSON object");
        foreach (JsonProperty field in _fields.EnumerateObject())
            if (!s_fields.Contains(field.Name))
                throw ModelFormatException.At(_path, Printable.Line(field.Name), "unknown", string.Join(", ", s_fields));
        var hardware = new Hardware
        {
            Name = Text("name") ?? Path.GetFileNameWithoutExtension(_path),
            Source = Text("source") ?? _path,
            MemoryBytesPerS = Rate("memory_bytes_per_s")
                ?? throw ModelFormatException.At(_path, "memory_bytes_per_s", "missing", "a number of bytes"),
            Bf16PerS = Rate("bf16_per_s"),
            Int8PerS = Rate("int8_per_s"),
            Fp32PerS = Rate("fp32_per_s"),
            MemoryBytes = Rate("memory_bytes"),
        };
        return hardware is { Bf16PerS: null, Int8PerS: null, Fp32PerS: null }
            ? throw ModelFormatException.At(_path, "bf16_per_s", "missing", "this, int8_per_s or fp32_per_s")
            : hardware;
    }

    double? Rate(string field) => Present(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.Number && value.TryGetDouble(out double number) && number is >= 1 and <= Most ? number
        : throw ModelFormatException.At(_path, field, Kind(value),
            string.Create(CultureInfo.InvariantCulture, $"a number from 1 to {Most}"));

    string? Text(string field) => Present(field) is not { } value ? null
        : value.ValueKind == JsonValueKind.String ? value.GetString()
        : throw ModelFormatException.At(_path, field, Kind(value), "a text");

    JsonElement? Present(string field) => _fields.TryGetProperty(field, out JsonElement value) && value.ValueKind != JsonValueKind.Null
        ? value
        : null;

    static string Kind(JsonElement value) => value.ValueKind is JsonValueKind.Object or JsonValueKind.Array
        ? $"an {value.ValueKind.ToString().ToLowerInvariant()}"
        : Printable.Line(value.GetRawText());
}
