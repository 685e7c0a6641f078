using System.Text;

namespace Kvasir.Tests.Fixtures;

/// <summary>Builds a GGUF file byte by byte and checks nothing: for files that no honest writer makes.</summary>
sealed class RawGguf
{
    readonly List<byte> _entries = [], _tensors = [];
    ulong _entryCount, _tensorCount;
    byte[] _data = [];

    public uint Version { get; init; } = 3;
    public ulong? ClaimedEntries { get; init; }
    public ulong? ClaimedTensors { get; init; }
    public int Alignment { get; init; } = 32;

    public static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    /// <summary>A string as the format has it: 64-bit length, then the bytes.</summary>
    public static byte[] Text(byte[] utf8) => [.. BitConverter.GetBytes((ulong)utf8.Length), .. utf8];

    public static byte[] Text(string text) => Text(Bytes(text));

    public RawGguf Key(byte[] key, uint type, params byte[] value)
    {
        _entries.AddRange([.. Text(key), .. BitConverter.GetBytes(type), .. value]);
        _entryCount++;
        return this;
    }

    public RawGguf Key(string key, uint type, params byte[] value) => Key(Bytes(key), type, value);

    public RawGguf Key(string key, uint value) => Key(key, 4, BitConverter.GetBytes(value));

    public RawGguf Array(string key, uint elementType, ulong length, params byte[] elements) =>
        Key(key, 9, [.. BitConverter.GetBytes(elementType), .. BitConverter.GetBytes(length), .. elements]);

    public RawGguf Tensor(byte[] name, ulong[] shape, uint type = 0, ulong offset = 0)
    {
        _tensors.AddRange([.. Text(name), .. BitConverter.GetBytes((uint)shape.Length)]);
        foreach (ulong size in shape) _tensors.AddRange(BitConverter.GetBytes(size));
        _tensors.AddRange([.. BitConverter.GetBytes(type), .. BitConverter.GetBytes(offset)]);
        _tensorCount++;
        return this;
    }

    public RawGguf Tensor(string name, ulong[] shape, uint type = 0, ulong offset = 0) => Tensor(Bytes(name), shape, type, offset);

    public RawGguf Data(int bytes)
    {
        _data = new byte[bytes];
        return this;
    }

    public byte[] ToArray()
    {
        byte[] header =
        [
            .. "GGUF"u8, .. BitConverter.GetBytes(Version), .. BitConverter.GetBytes(ClaimedTensors ?? _tensorCount),
            .. BitConverter.GetBytes(ClaimedEntries ?? _entryCount), .. _entries, .. _tensors,
        ];
        return _data.Length == 0 ? header : [.. header, .. new byte[-header.Length & (Alignment - 1)], .. _data];
    }
}
