namespace Kvasir.KvCache.Codecs;

/// <summary>How a row (one head's key or value of one token) of 32-bit floats is stored in a block.</summary>
public interface IKvCodec
{
    /// <summary>Name as users type it, such as <c>f16</c>. Part of a block's identity.</summary>
    string Name { get; }

    /// <summary>Bytes of a row of <paramref name="elements"/> values.</summary>
    int RowBytes(int elements);

    /// <summary>Stores a row.</summary>
    /// <param name="row">The values.</param>
    /// <param name="destination"><see cref="RowBytes"/> bytes.</param>
    void Encode(ReadOnlySpan<float> row, Span<byte> destination);

    /// <summary>Reads a row back; the inverse of <see cref="Encode"/> up to the codec's rounding.</summary>
    /// <param name="source"><see cref="RowBytes"/> bytes.</param>
    /// <param name="row">Receives the values.</param>
    void Decode(ReadOnlySpan<byte> source, Span<float> row);
}
