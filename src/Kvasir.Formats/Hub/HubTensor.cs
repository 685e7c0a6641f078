using System.Runtime.InteropServices;
using Kvasir.Formats.Quantization;
using Kvasir.Formats.Safetensors;

namespace Kvasir.Formats.Hub;

/// <summary>One tensor as a GGUF file would hold it.</summary>
/// <param name="Shown">What it is there.</param>
abstract record HubTensor(StoredTensor Shown)
{
    /// <summary>Where the rows of a part of this tensor begin.</summary>
    public long FirstRowOf(StoredTensor part) => (part.Offset - Shown.Offset) / Shown.RowBytes;

    public abstract ReadOnlySpan<byte> Row(long row);

    public abstract void Read(long firstRow, Span<byte> rows);

    public virtual void Forget(long firstRow, long rows) { }
}

/// <summary>A matrix, which stays as it is stored.</summary>
/// <param name="Shown">What it is in GGUF.</param>
/// <param name="File">Where it is stored.</param>
/// <param name="Stored">What it is there.</param>
/// <param name="HeadRows">Rows of a head whose halves GGUF has row by row beside each other; 0 where rows keep their order.</param>
sealed record HubMatrix(StoredTensor Shown, SafetensorsFile File, StoredTensor Stored, int HeadRows) : HubTensor(Shown)
{
    public override ReadOnlySpan<byte> Row(long row) => File.Row(Stored, StoredRow(row));

    public override void Read(long firstRow, Span<byte> rows)
    {
        if (HeadRows == 0)
            File.Read(Stored, firstRow, rows);
        else
            for (int bytes = Stored.RowBytes; !rows.IsEmpty; rows = rows[bytes..])
                File.Read(Stored, StoredRow(firstRow++), rows[..bytes]);
    }

    /// <summary>About those rows: the halves of a head lie in another order.</summary>
    public override void Forget(long firstRow, long rows) => File.Forget(Stored, firstRow, rows);

    long StoredRow(long row) => HeadRows == 0 ? row : Paired(row, HeadRows);

    /// <summary>Where the row lies that comes here when rows of a head's halves alternate.</summary>
    public static long Paired(long row, int headRows) => row / headRows * headRows + row % 2 * (headRows / 2) + row % headRows / 2;
}

/// <summary>A vector, or one for each expert, which GGUF files hold as floats.</summary>
sealed record HubVector(StoredTensor Shown, float[] Values) : HubTensor(Shown)
{
    public HubVector(string name, float[] values, int vectors = 1) : this(new StoredTensor(name, TensorType.F32,
        vectors == 1 ? [values.Length] : [values.Length / vectors, vectors], 0, (long)values.Length * sizeof(float)), values)
    {
    }

    public override ReadOnlySpan<byte> Row(long row) =>
        MemoryMarshal.AsBytes<float>(Values).Slice(checked((int)row * Shown.RowBytes), Shown.RowBytes);

    public override void Read(long firstRow, Span<byte> rows) =>
        MemoryMarshal.AsBytes<float>(Values).Slice(checked((int)firstRow * Shown.RowBytes), rows.Length).CopyTo(rows);

    /// <summary>All numbers of a tensor.</summary>
    public static float[] Numbers(SafetensorsFile file, StoredTensor stored)
    {
        float[] values = new float[stored.Elements];
        byte[] bytes = new byte[stored.ByteLength];
        file.Read(stored, 0, bytes);
        RowFormat.Dequantize(stored.Type, bytes, values);
        return values;
    }

    /// <summary>Reads one, with its elements in another order and more by a number, where the family stores it otherwise.</summary>
    public static HubVector From(string name, SafetensorsFile file, StoredTensor stored, int headRows, float more)
    {
        float[] values = Numbers(file, stored), shown = new float[values.Length];
        for (int i = 0; i < shown.Length; i++)
            shown[i] = values[headRows == 0 ? i : HubMatrix.Paired(i, headRows)] + more;
        return new HubVector(name, shown);
    }
}
