using System.Collections.Immutable;

namespace Kvasir.Formats;

/// <summary>Where one tensor lies in a file, and how.</summary>
/// <param name="Name">ggml's name, such as <c>blk.0.attn_q.weight</c>.</param>
/// <param name="Type">How the values are stored.</param>
/// <param name="Shape">One to four dimensions, the fastest varying first: a matrix is [columns, rows].</param>
/// <param name="Offset">First byte, counted from the start of the file.</param>
/// <param name="ByteLength">Bytes of all values, without padding.</param>
public sealed record StoredTensor(string Name, TensorType Type, ImmutableArray<long> Shape, long Offset, long ByteLength)
{
    /// <summary>Values in one row.</summary>
    public long Columns => Shape[0];

    /// <summary>Rows, over all dimensions but the first.</summary>
    public long Rows { get; } = Shape.AsSpan()[1..].ToArray().Aggregate(1L, (rows, dimension) => checked(rows * dimension));

    /// <summary>Values in all.</summary>
    public long Elements => Columns * Rows;

    /// <summary>Bytes of one row.</summary>
    public int RowBytes => (int)(ByteLength / Rows);

    /// <summary>Some consecutive rows of a matrix, as a matrix.</summary>
    public StoredTensor RowsFrom(int first, int count) =>
        new(Name, Type, [Columns, count], Offset + (long)first * RowBytes, (long)count * RowBytes);

    /// <summary>The shape as messages show it: <c>[64, 32]</c>.</summary>
    public string ShapeText => $"[{string.Join(", ", Shape)}]";
}
