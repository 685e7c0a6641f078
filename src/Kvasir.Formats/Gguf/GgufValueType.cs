using System.Collections.Immutable;

namespace Kvasir.Formats.Gguf;

/// <summary>The type of a metadata value. The numbers are those of the format.</summary>
enum GgufValueType : uint
{
    UInt8 = 0, Int8 = 1, UInt16 = 2, Int16 = 3, UInt32 = 4, Int32 = 5, Float32 = 6, Bool = 7, String = 8, Array = 9,
    UInt64 = 10, Int64 = 11, Float64 = 12,
}

/// <summary>
/// Metadata values are kept as the .NET type of the same width, boxed, and arrays as <see cref="ImmutableArray{T}"/> of it, so that a
/// file can be rewritten without changing any value's type.
/// </summary>
static class GgufValues
{
    /// <summary>What users call the type of <paramref name="value"/>: <c>uint32</c>, <c>array of string</c>.</summary>
    public static string TypeName(object value) => value switch
    {
        byte => "uint8",
        sbyte => "int8",
        ushort => "uint16",
        short => "int16",
        uint => "uint32",
        int => "int32",
        ulong => "uint64",
        long => "int64",
        float => "float32",
        double => "float64",
        bool => "bool",
        string => "string",
        ImmutableArray<byte> => "array of uint8",
        ImmutableArray<sbyte> => "array of int8",
        ImmutableArray<ushort> => "array of uint16",
        ImmutableArray<short> => "array of int16",
        ImmutableArray<uint> => "array of uint32",
        ImmutableArray<int> => "array of int32",
        ImmutableArray<ulong> => "array of uint64",
        ImmutableArray<long> => "array of int64",
        ImmutableArray<float> => "array of float32",
        ImmutableArray<double> => "array of float64",
        ImmutableArray<bool> => "array of bool",
        ImmutableArray<string> => "array of string",
        _ => throw new ArgumentException($"{value.GetType()} is no metadata type", nameof(value)),
    };
}
