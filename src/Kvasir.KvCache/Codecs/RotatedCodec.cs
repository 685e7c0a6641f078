namespace Kvasir.KvCache.Codecs;

/// <summary>
/// Stores rows rotated (<see cref="Hadamard"/>): a value that is far above the others takes the bits of its group away, and is spread over
/// all. What reads rows with <see cref="Inner"/> gets them as they are stored: products with a query that is rotated as well are the same,
/// and a weighted sum of values needs to be turned back only once.
/// </summary>
/// <param name="inner">How the rotated row is stored.</param>
public sealed class RotatedCodec(IKvCodec inner) : IKvCodec
{
    /// <summary>What the name of a rotated codec ends with.</summary>
    public const string Suffix = "+h";

    const int MostElementsOnStack = 1024;

    /// <inheritdoc/>
    public string Name { get; } = inner.Name + Suffix;

    /// <summary>How the rotated row is stored.</summary>
    public IKvCodec Inner => inner;

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The row is odd, or none that the inner codec can store.</exception>
    public int RowBytes(int elements)
    {
        Hadamard.Check(elements, Name);
        return inner.RowBytes(elements);
    }

    /// <inheritdoc/>
    public void Encode(ReadOnlySpan<float> row, Span<byte> destination)
    {
        Span<float> rotated = row.Length <= MostElementsOnStack ? stackalloc float[row.Length] : new float[row.Length];
        row.CopyTo(rotated);
        Hadamard.Transform(rotated);
        inner.Encode(rotated, destination);
    }

    /// <inheritdoc/>
    public void Decode(ReadOnlySpan<byte> source, Span<float> row)
    {
        inner.Decode(source, row);
        Hadamard.Transform(row);
    }
}
