using System.Runtime.InteropServices;

namespace Kvasir.KvCache.Codecs;

/// <summary>Stores values as IEEE 754 half precision, rounded to nearest even: 2 bytes each.</summary>
public sealed class F16Codec : IKvCodec
{
    /// <summary>The codec.</summary>
    public static F16Codec Instance { get; } = new();

    F16Codec() { }

    /// <inheritdoc/>
    public string Name => "f16";

    /// <inheritdoc/>
    public int RowBytes(int elements) => checked(elements * 2);

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<float> row, Span<byte> destination)
    {
        Span<Half> halves = MemoryMarshal.Cast<byte, Half>(destination)[..row.Length];
        for (int i = 0; i < row.Length; i++)
            halves[i] = (Half)row[i];
    }

    /// <inheritdoc/>
    public void Decode(ReadOnlySpan<byte> source, Span<float> row)
    {
        ReadOnlySpan<Half> halves = MemoryMarshal.Cast<byte, Half>(source)[..row.Length];
        for (int i = 0; i < row.Length; i++)
            row[i] = (float)halves[i];
    }
}
