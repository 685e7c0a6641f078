using System.Runtime.InteropServices;

namespace Kvasir.KvCache.Codecs;

/// <summary>A codec that stores a row in groups of 32 values, each with a scale of its own.</summary>
public abstract class ScaledGroupCodec : IKvCodec
{
    readonly int _groupBytes;

    private protected ScaledGroupCodec(string name, int groupBytes) => (Name, _groupBytes) = (name, groupBytes);

    /// <inheritdoc/>
    public string Name { get; }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">Not a multiple of 32 elements.</exception>
    public int RowBytes(int elements) => ScaledGroup.RowBytes(elements, _groupBytes, Name);

    /// <inheritdoc/>
    /// <remarks>A group with a value that is not finite, or whose scale is no half any more, reads back as NaN.</remarks>
    public void Encode(ReadOnlySpan<float> row, Span<byte> destination)
    {
        Span<byte> groups = destination[..RowBytes(row.Length)];
        for (; !row.IsEmpty; row = row[ScaledGroup.Elements..], groups = groups[_groupBytes..])
            EncodeGroup(ref MemoryMarshal.GetReference(row[..ScaledGroup.Elements]), groups[.._groupBytes]);
    }

    /// <inheritdoc/>
    public void Decode(ReadOnlySpan<byte> source, Span<float> row)
    {
        ReadOnlySpan<byte> groups = source[..RowBytes(row.Length)];
        for (; !row.IsEmpty; row = row[ScaledGroup.Elements..], groups = groups[_groupBytes..])
            DecodeGroup(groups[.._groupBytes], ref MemoryMarshal.GetReference(row[..ScaledGroup.Elements]));
    }

    private protected abstract void EncodeGroup(ref readonly float values, Span<byte> group);

    private protected abstract void DecodeGroup(ReadOnlySpan<byte> group, ref float values);
}
