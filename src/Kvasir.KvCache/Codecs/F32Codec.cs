using System.Runtime.InteropServices;

namespace Kvasir.KvCache.Codecs;

/// <summary>Stores values as they are: 4 bytes each. Exact, for comparisons.</summary>
public sealed class F32Codec : IKvCodec
{
    /// <summary>The codec.</summary>
    public static F32Codec Instance { get; } = new();

    F32Codec() { }

    /// <inheritdoc/>
    public string Name => "f32";

    /// <inheritdoc/>
    public int RowBytes(int elements) => checked(elements * sizeof(float));

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<float> row, Span<byte> destination) => MemoryMarshal.AsBytes(row).CopyTo(destination);

    /// <inheritdoc/>
    public void Decode(ReadOnlySpan<byte> source, Span<float> row) => source[..RowBytes(row.Length)].CopyTo(MemoryMarshal.AsBytes(row));
}
