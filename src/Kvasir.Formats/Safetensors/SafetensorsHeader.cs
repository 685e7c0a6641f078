using System.Collections.Immutable;
using System.Text.Json;

namespace Kvasir.Formats.Safetensors;

/// <summary>
/// Parses what stands in front of the tensors of a safetensors file, which is not trusted
/// (<see href="https://github.com/huggingface/safetensors#format"/>):
/// <code>
/// u64 bytes of the header | { "name": { "dtype": "BF16", "shape": [rows, columns], "data_offsets": [begin, end] }, … } | data
/// </code>
/// Offsets count from the data's first byte; the tensors lie in the data without holes and fill it. <c>__metadata__</c> has strings, which
/// nobody asks for here.
/// </summary>
sealed class SafetensorsHeader
{
    /// <summary>The length of a header that the format's own reader takes.</summary>
    const int MostBytes = 100_000_000;

    const int LengthBytes = sizeof(ulong), MostDimensions = 4, MostNameLength = 256;
    const string Metadata = "__metadata__", Dtype = "dtype", Shape = "shape", Offsets = "data_offsets";

    readonly string _path;
    readonly long _length, _data;

    public IReadOnlyList<StoredTensor> Tensors { get; }

    public unsafe SafetensorsHeader(string path, byte* start, long length)
    {
        (_path, _length) = (path, length);
        ulong header = length < LengthBytes ? 0 : BitConverter.ToUInt64(new ReadOnlySpan<byte>(start, LengthBytes));
        if (header is < 2 or > MostBytes || (long)header > length - LengthBytes)
            throw Invalid("header length", $"{header} bytes in a file of {length}", $"2 to {MostBytes}, within the file");
        _data = LengthBytes + (long)header;
        try
        {
            Tensors = Read(new ReadOnlySpan<byte>(start + LengthBytes, (int)header));
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException) // the second for text that is no Unicode
        {
            throw Invalid("header", $"no valid JSON ({Printable.Line(e.Message, 160)})", "an object");
        }
    }

    List<StoredTensor> Read(ReadOnlySpan<byte> header)
    {
        using JsonDocument document =
            JsonDocument.Parse(header.ToArray(), new JsonDocumentOptions { AllowDuplicateProperties = false, MaxDepth = 8 });
        if (document.RootElement.ValueKind != JsonValueKind.Object)
            throw Invalid("header", $"a JSON {document.RootElement.ValueKind}", "an object");
        List<StoredTensor> tensors = [.. document.RootElement.EnumerateObject().Where(entry => entry.Name != Metadata)
            .Select(entry => Tensor(entry.Name, entry.Value))];
        RefuseHolesAndOverlaps(tensors);
        return tensors;
    }

    StoredTensor Tensor(string name, JsonElement entry)
    {
        string at = $"tensor {Printable.Quote(name)}";
        if (name.Length is 0 or > MostNameLength)
            throw Invalid(at, $"a name of {name.Length} characters", $"1 to {MostNameLength}");
        if (entry.ValueKind != JsonValueKind.Object)
            throw Invalid(at, $"a JSON {entry.ValueKind}", "an object");
        TensorType type = TypeOf(at, Field(at, entry, Dtype));
        ImmutableArray<long> shape = ShapeOf(at, Numbers(at, entry, Shape));
        long bytes = shape.Aggregate((long)type.BlockBytes(), (product, size) => checked(product * size));
        long[] offsets = Numbers(at, entry, Offsets);
        if (offsets is not [long begin, long end] || begin > end || end > _length - _data)
            throw Invalid(
                $"{at}.{Offsets}", $"[{string.Join(", ", offsets)}]", $"a begin and an end within the {_length - _data} bytes of data");
        if (end - begin != bytes)
            throw Invalid($"{at}.{Offsets}", $"{end - begin} bytes", $"{bytes}, for the shape and {type.DisplayName()}");
        return bytes / shape.Skip(1).Aggregate(1L, (rows, size) => rows * size) is var row && row <= int.MaxValue
            ? new StoredTensor(name, type, shape, _data + begin, bytes)
            : throw Invalid($"{at}.{Shape}", $"rows of {row} bytes", $"at most {int.MaxValue}");
    }

    TensorType TypeOf(string at, JsonElement dtype) => (dtype.ValueKind == JsonValueKind.String ? dtype.GetString() : null) switch
    {
        "F32" => TensorType.F32,
        "F16" => TensorType.F16,
        "BF16" => TensorType.BF16,
        "U8" => TensorTypes.Bytes, // whoever does not know what they are refuses them
        _ => throw Invalid($"{at}.{Dtype}", Printable.Line(dtype.GetRawText(), 40), "BF16, F16 or F32"),
    };

    /// <summary>The fastest dimension first, as tensors have it here; files have it last.</summary>
    ImmutableArray<long> ShapeOf(string at, long[] shape)
    {
        const long Most = long.MaxValue / 8;
        long left = Most;
        if (shape.Length > MostDimensions || shape.Any(size => size == 0 || (left /= size) == 0))
            throw Invalid(
                $"{at}.{Shape}", $"[{string.Join(", ", shape)}]", $"up to {MostDimensions} sizes from 1 whose product fits in the file");
        return shape.Length == 0 ? [1] : [.. shape.Reverse()];
    }

    long[] Numbers(string at, JsonElement entry, string name)
    {
        const int Most = 16;
        JsonElement array = Field(at, entry, name);
        if (array.ValueKind != JsonValueKind.Array || array.GetArrayLength() > Most
            || array.EnumerateArray().Any(item => item.ValueKind != JsonValueKind.Number || !item.TryGetInt64(out long value) || value < 0))
            throw Invalid($"{at}.{name}", Printable.Line(array.GetRawText(), 40), "a list of whole numbers from 0");
        return [.. array.EnumerateArray().Select(item => item.GetInt64())];
    }

    JsonElement Field(string at, JsonElement entry, string name) =>
        entry.TryGetProperty(name, out JsonElement value) ? value : throw Invalid($"{at}.{name}", "the field is missing", "a value");

    void RefuseHolesAndOverlaps(List<StoredTensor> tensors)
    {
        long end = _data;
        foreach (StoredTensor tensor in tensors.OrderBy(tensor => tensor.Offset))
        {
            if (tensor.Offset != end)
                throw Invalid($"tensor {Printable.Quote(tensor.Name)}.{Offsets}", $"a begin of {tensor.Offset - _data}",
                    $"{end - _data}, where the tensor before it ends");
            end += tensor.ByteLength;
        }
        if (end != _length)
            throw Invalid("data", $"{_length - _data} bytes", $"{end - _data}, all of them in tensors");
    }

    ModelFormatException Invalid(string field, string seen, string expected) => ModelFormatException.At(_path, field, seen, expected);
}
