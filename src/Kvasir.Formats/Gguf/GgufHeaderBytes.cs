using System.Collections.Immutable;
using System.Runtime.InteropServices;
using System.Text;

namespace Kvasir.Formats.Gguf;

/// <summary>Writes what <see cref="GgufHeader"/> reads, without the padding at its end.</summary>
static class GgufHeaderBytes
{
    const uint Version = 3;

    public static byte[] Build(IReadOnlyList<(string Key, object Value)> metadata, IReadOnlyList<StoredTensor> tensors)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes); // little endian everywhere
        writer.Write("GGUF"u8);
        writer.Write(Version);
        writer.Write((ulong)tensors.Count);
        writer.Write((ulong)metadata.Count);
        foreach (var (key, value) in metadata)
        {
            WriteString(writer, key);
            WriteValue(writer, value);
        }
        foreach (StoredTensor tensor in tensors) WriteTensor(writer, tensor);
        writer.Flush();
        return bytes.ToArray();
    }

    static void WriteTensor(BinaryWriter writer, StoredTensor tensor)
    {
        WriteString(writer, tensor.Name);
        writer.Write((uint)tensor.Shape.Length);
        foreach (long size in tensor.Shape) writer.Write(size);
        writer.Write((uint)tensor.Type);
        writer.Write(tensor.Offset);
    }

    static void WriteString(BinaryWriter writer, string text)
    {
        byte[] utf8 = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)utf8.Length);
        writer.Write(utf8);
    }

    static void WriteValue(BinaryWriter writer, object value)
    {
        switch (value)
        {
            case byte number: Type(GgufValueType.UInt8); writer.Write(number); break;
            case sbyte number: Type(GgufValueType.Int8); writer.Write(number); break;
            case ushort number: Type(GgufValueType.UInt16); writer.Write(number); break;
            case short number: Type(GgufValueType.Int16); writer.Write(number); break;
            case uint number: Type(GgufValueType.UInt32); writer.Write(number); break;
            case int number: Type(GgufValueType.Int32); writer.Write(number); break;
            case ulong number: Type(GgufValueType.UInt64); writer.Write(number); break;
            case long number: Type(GgufValueType.Int64); writer.Write(number); break;
            case float number: Type(GgufValueType.Float32); writer.Write(number); break;
            case double number: Type(GgufValueType.Float64); writer.Write(number); break;
            case bool flag: Type(GgufValueType.Bool); writer.Write(flag); break;
            case string text: Type(GgufValueType.String); WriteString(writer, text); break;
            default: WriteArray(writer, value); break;
        }

        void Type(GgufValueType type) => writer.Write((uint)type);
    }

    static void WriteArray(BinaryWriter writer, object value)
    {
        writer.Write((uint)GgufValueType.Array);
        switch (value)
        {
            case ImmutableArray<byte> array: Elements(GgufValueType.UInt8, array); break;
            case ImmutableArray<sbyte> array: Elements(GgufValueType.Int8, array); break;
            case ImmutableArray<ushort> array: Elements(GgufValueType.UInt16, array); break;
            case ImmutableArray<short> array: Elements(GgufValueType.Int16, array); break;
            case ImmutableArray<uint> array: Elements(GgufValueType.UInt32, array); break;
            case ImmutableArray<int> array: Elements(GgufValueType.Int32, array); break;
            case ImmutableArray<ulong> array: Elements(GgufValueType.UInt64, array); break;
            case ImmutableArray<long> array: Elements(GgufValueType.Int64, array); break;
            case ImmutableArray<float> array: Elements(GgufValueType.Float32, array); break;
            case ImmutableArray<double> array: Elements(GgufValueType.Float64, array); break;
            case ImmutableArray<bool> array: Elements(GgufValueType.Bool, array); break;
            case ImmutableArray<string> array:
                Start(GgufValueType.String, array.Length);
                foreach (string text in array) WriteString(writer, text);
                break;
            default: throw new ArgumentException($"{value.GetType()} is no metadata type", nameof(value));
        }

        void Start(GgufValueType type, int length)
        {
            writer.Write((uint)type);
            writer.Write((ulong)length);
        }

        void Elements<T>(GgufValueType type, ImmutableArray<T> array) where T : unmanaged
        {
            Start(type, array.Length);
            writer.Write(MemoryMarshal.AsBytes(array.AsSpan()));
        }
    }
}
