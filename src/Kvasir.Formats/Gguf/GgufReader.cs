using System.Collections.Immutable;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Unicode;

namespace Kvasir.Formats.Gguf;

/// <summary>
/// Reads a GGUF header front to back and never past the end: every count and length is held against the bytes that are left before
/// anything is allocated for it. Works on a pointer because a mapping may be larger than a span can be.
/// </summary>
unsafe ref struct GgufReader(string path, byte* start, long length)
{
    const int MaxStringBytes = 1 << 24; // a chat template has tens of thousands

    string _subject = "header";
    long _number = -1;

    /// <summary>Bytes read so far.</summary>
    public long Position { get; private set; }

    readonly long Remaining => length - Position;

    /// <summary>Names the part being read, for messages, in <see cref="Printable"/> text.</summary>
    public void Enter(string subject, long number = -1) => (_subject, _number) = (subject, number);

    public readonly ModelFormatException Error(string what, string seen, string expected) =>
        ModelFormatException.At(path, $"{_subject}{(_number < 0 ? "" : $" {_number}")} {what}".TrimEnd(), seen, expected);

    public T Read<T>(string what) where T : unmanaged
    {
        Require(sizeof(T), what);
        T value = Unsafe.ReadUnaligned<T>(start + Position);
        Position += sizeof(T);
        return value;
    }

    /// <summary>A count of things that take at least <paramref name="minimumBytes"/> each.</summary>
    public long ReadCount(string what, int minimumBytes)
    {
        ulong count = Read<ulong>(what);
        if (count > (ulong)(Remaining / minimumBytes) || count > (ulong)Array.MaxLength)
            throw Error(what, $"{count}", $"at most {Math.Min(Remaining / minimumBytes, Array.MaxLength)}, since {Remaining} bytes remain");
        return (long)count;
    }

    public string ReadString(string what, int maxBytes = MaxStringBytes)
    {
        ulong bytes = Read<ulong>(what);
        if (bytes > (ulong)maxBytes) throw Error(what, $"{bytes} bytes long", $"at most {maxBytes}");
        Require((long)bytes, what);
        var utf8 = new ReadOnlySpan<byte>(start + Position, (int)bytes);
        if (!Utf8.IsValid(utf8)) throw Error(what, Printable.Quote(utf8), "valid UTF-8");
        Position += utf8.Length;
        return Encoding.UTF8.GetString(utf8);
    }

    public object ReadValue()
    {
        uint type = Read<uint>("type");
        return (GgufValueType)type switch
        {
            GgufValueType.UInt8 => Read<byte>(""),
            GgufValueType.Int8 => Read<sbyte>(""),
            GgufValueType.UInt16 => Read<ushort>(""),
            GgufValueType.Int16 => Read<short>(""),
            GgufValueType.UInt32 => Read<uint>(""),
            GgufValueType.Int32 => Read<int>(""),
            GgufValueType.UInt64 => Read<ulong>(""),
            GgufValueType.Int64 => Read<long>(""),
            GgufValueType.Float32 => Read<float>(""),
            GgufValueType.Float64 => Read<double>(""),
            GgufValueType.Bool => ReadBool(),
            GgufValueType.String => ReadString(""),
            GgufValueType.Array => ReadArray(),
            _ => throw Error("type", $"{type}", "a value type from 0 to 12"),
        };
    }

    object ReadArray()
    {
        uint type = Read<uint>("element type");
        return (GgufValueType)type switch
        {
            GgufValueType.UInt8 => ReadArray<byte>(),
            GgufValueType.Int8 => ReadArray<sbyte>(),
            GgufValueType.UInt16 => ReadArray<ushort>(),
            GgufValueType.Int16 => ReadArray<short>(),
            GgufValueType.UInt32 => ReadArray<uint>(),
            GgufValueType.Int32 => ReadArray<int>(),
            GgufValueType.UInt64 => ReadArray<ulong>(),
            GgufValueType.Int64 => ReadArray<long>(),
            GgufValueType.Float32 => ReadArray<float>(),
            GgufValueType.Float64 => ReadArray<double>(),
            GgufValueType.Bool => ReadBools(),
            GgufValueType.String => ReadStrings(),
            GgufValueType.Array => throw Error("element type", "an array of arrays", "an array of numbers, bools or strings"),
            _ => throw Error("element type", $"{type}", "a value type from 0 to 12"),
        };
    }

    ImmutableArray<T> ReadArray<T>() where T : unmanaged
    {
        int count = (int)ReadCount("length", sizeof(T));
        var values = new T[count];
        // Copied as bytes: elements of a GGUF array need not be aligned.
        fixed (T* destination = values)
            Buffer.MemoryCopy(start + Position, destination, (long)count * sizeof(T), (long)count * sizeof(T));
        Position += (long)count * sizeof(T);
        return ImmutableCollectionsMarshal.AsImmutableArray(values);
    }

    ImmutableArray<string> ReadStrings()
    {
        var values = new string[(int)ReadCount("length", minimumBytes: sizeof(ulong))];
        for (int i = 0; i < values.Length; i++)
            values[i] = ReadString("element");
        return ImmutableCollectionsMarshal.AsImmutableArray(values);
    }

    ImmutableArray<bool> ReadBools()
    {
        var values = new bool[(int)ReadCount("length", minimumBytes: 1)];
        for (int i = 0; i < values.Length; i++)
            values[i] = ReadBool();
        return ImmutableCollectionsMarshal.AsImmutableArray(values);
    }

    bool ReadBool() => Read<byte>("") switch
    {
        0 => false,
        1 => true,
        byte other => throw Error("", $"{other}", "a bool of 0 or 1"),
    };

    readonly void Require(long bytes, string what)
    {
        if (bytes > Remaining)
            throw Error(what, $"the file ends at byte {length}", $"{bytes} bytes from byte {Position}");
    }
}
