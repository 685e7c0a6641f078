using System.Collections.Immutable;

namespace Kvasir.Formats.Gguf;

/// <summary>
/// Parses what stands in front of the tensor data:
/// <code>
/// "GGUF" | u32 version | u64 tensors | u64 keys
/// keys    × { string key | u32 type | value }             string = u64 bytes | UTF-8
/// tensors × { string name | u32 n | n × u64 dimension | u32 type | u64 offset from the start of the data }
/// padding to general.alignment | data
/// </code>
/// </summary>
sealed class GgufHeader
{
    public const string AlignmentKey = "general.alignment";
    public const int DefaultAlignment = 32, MinAlignment = 8, MaxAlignment = 1 << 20;

    const int MaxKeyBytes = ushort.MaxValue, MaxNameBytes = 256, MaxDimensions = 4;
    const int MinKeyBytes = 8 + 1 + 4 + 1, MinTensorBytes = 8 + 1 + 4 + 8 + 4 + 8;

    readonly string _path;
    readonly long _length;

    public uint Version { get; }
    public GgufMetadata Metadata { get; }
    public IReadOnlyList<StoredTensor> Tensors { get; }

    public unsafe GgufHeader(string path, byte* start, long length)
    {
        (_path, _length) = (path, length);
        CheckMagic(new ReadOnlySpan<byte>(start, (int)Math.Min(length, 16)));
        var reader = new GgufReader(path, start, length);
        reader.Read<uint>("magic");
        Version = ReadVersion(ref reader);
        // Each count is checked when its turn comes, against what is left then; this only catches the absurd ones early.
        long tensors = reader.ReadCount("tensor count", MinTensorBytes);
        long keys = reader.ReadCount("metadata count", MinKeyBytes);
        Metadata = ReadMetadata(ref reader, keys);
        Tensors = ReadTensors(ref reader, tensors, ReadAlignment());
    }

    void CheckMagic(ReadOnlySpan<byte> first)
    {
        if (!first.StartsWith("GGUF"u8))
            throw ModelFormatException.At(_path, "magic", $"not a GGUF file, it starts with {Printable.Quote(first)}", "'GGUF'");
    }

    static uint ReadVersion(ref GgufReader reader) => reader.Read<uint>("version") switch
    {
        2 => 2,
        3 => 3,
        1 => throw reader.Error("version", "1", "2 or 3; convert the model again with a current tool"),
        // A small number whose low half is empty is one written by a machine of the other byte order.
        uint version when (version & 0xFFFF) == 0 && version != 0 =>
            throw reader.Error("version", $"0x{version:x8}, so the file is big endian", "a little-endian file of version 2 or 3"),
        uint version => throw reader.Error("version", $"{version}", "2 or 3"),
    };

    GgufMetadata ReadMetadata(ref GgufReader reader, long count)
    {
        var keys = new List<string>();
        var values = new Dictionary<string, object>(StringComparer.Ordinal);
        for (long i = 0; i < count; i++)
        {
            reader.Enter("metadata entry", i);
            string key = reader.ReadString("key", MaxKeyBytes);
            if (key.Length == 0) throw reader.Error("key", "empty", "a name");
            reader.Enter(Printable.Line(key));
            if (!values.TryAdd(key, reader.ReadValue())) throw reader.Error("", "the key occurs twice", "each key once");
            keys.Add(key);
        }
        return new GgufMetadata(_path, keys, values);
    }

    int ReadAlignment()
    {
        int alignment = Metadata.GetInt32(AlignmentKey, DefaultAlignment);
        return alignment is >= MinAlignment and <= MaxAlignment && int.IsPow2(alignment)
            ? alignment
            : throw Metadata.Invalid(AlignmentKey, $"{alignment}", $"a power of two from {MinAlignment} to {MaxAlignment}");
    }

    List<StoredTensor> ReadTensors(ref GgufReader reader, long count, int alignment)
    {
        var tensors = new List<StoredTensor>();
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (long i = 0; i < count; i++)
        {
            StoredTensor tensor = ReadTensor(ref reader, i, alignment);
            if (!names.Add(tensor.Name)) throw reader.Error("name", "two tensors have it", "each name once");
            tensors.Add(tensor);
        }
        reader.Enter("tensor data");
        long data = AlignUp(reader.Position, alignment);
        if (count > 0 && data > _length)
            throw reader.Error("", $"the file ends at byte {_length}", $"data from byte {data}");
        return PlaceInFile(ref reader, tensors, data);
    }

    static StoredTensor ReadTensor(ref GgufReader reader, long index, int alignment)
    {
        reader.Enter("tensor", index);
        string name = reader.ReadString("name", MaxNameBytes);
        if (name.Length == 0) throw reader.Error("name", "empty", "a name");
        reader.Enter($"tensor {Printable.Quote(name)}");
        ImmutableArray<long> shape = ReadShape(ref reader);
        TensorType type = ReadType(ref reader);
        long bytes = SizeOf(ref reader, shape, type);
        ulong offset = reader.Read<ulong>("offset");
        if (offset > long.MaxValue || (long)offset % alignment != 0)
            throw reader.Error("offset", $"{offset}", $"a multiple of the alignment {alignment}");
        return new StoredTensor(name, type, shape, (long)offset, bytes);
    }

    static ImmutableArray<long> ReadShape(ref GgufReader reader)
    {
        uint dimensions = reader.Read<uint>("dimensions");
        if (dimensions is 0 or > MaxDimensions) throw reader.Error("dimensions", $"{dimensions}", $"1 to {MaxDimensions}");
        var shape = ImmutableArray.CreateBuilder<long>((int)dimensions);
        long elements = 1;
        while (shape.Count < dimensions)
        {
            ulong size = reader.Read<ulong>("shape");
            // The bound leaves room for any type's bytes to be computed without overflow.
            if (size == 0 || size > (ulong)(long.MaxValue / 8 / elements))
                throw reader.Error("shape", $"{size} in dimension {shape.Count}", "sizes from 1 whose product fits in the file");
            elements *= (long)size;
            shape.Add((long)size);
        }
        return shape.MoveToImmutable();
    }

    static TensorType ReadType(ref GgufReader reader)
    {
        uint number = reader.Read<uint>("type");
        return TensorTypes.IsKnown(number)
            ? (TensorType)number
            : throw reader.Error("type", TensorTypes.DescribeForeign(number), $"one of {TensorTypes.AllNames}");
    }

    static long SizeOf(ref GgufReader reader, ImmutableArray<long> shape, TensorType type)
    {
        if (shape[0] % type.BlockElements() != 0)
            throw reader.Error("shape", $"{shape[0]} columns", $"a multiple of {type.DisplayName()}'s block of {type.BlockElements()}");
        long rowBytes = type.RowBytes(shape[0]);
        if (rowBytes > int.MaxValue) throw reader.Error("shape", $"rows of {rowBytes} bytes", $"at most {int.MaxValue}");
        return shape.Skip(1).Aggregate(rowBytes, (bytes, size) => bytes * size);
    }

    /// <summary>Makes offsets absolute; no tensor may leave the file or share bytes with another.</summary>
    List<StoredTensor> PlaceInFile(ref GgufReader reader, List<StoredTensor> tensors, long data)
    {
        for (int i = 0; i < tensors.Count; i++)
        {
            StoredTensor tensor = tensors[i];
            reader.Enter($"tensor {Printable.Quote(tensor.Name)}");
            if (tensor.Offset > _length - data || tensor.ByteLength > _length - data - tensor.Offset)
                throw reader.Error(
                    "data", $"{tensor.ByteLength} bytes at offset {tensor.Offset}", $"an end within the {_length - data} bytes of data");
            tensors[i] = tensor with { Offset = data + tensor.Offset };
        }
        RefuseOverlap(ref reader, tensors);
        return tensors;
    }

    static void RefuseOverlap(ref GgufReader reader, List<StoredTensor> tensors)
    {
        StoredTensor[] byOffset = [.. tensors.OrderBy(tensor => tensor.Offset)];
        for (int i = 1; i < byOffset.Length; i++)
        {
            (StoredTensor left, StoredTensor right) = (byOffset[i - 1], byOffset[i]);
            if (left.Offset + left.ByteLength <= right.Offset) continue;
            reader.Enter($"tensor {Printable.Quote(right.Name)}");
            throw reader.Error("data", $"shares bytes with tensor {Printable.Quote(left.Name)}", "tensors apart from each other");
        }
    }

    static long AlignUp(long position, int alignment) => (position + alignment - 1) & -alignment;
}
