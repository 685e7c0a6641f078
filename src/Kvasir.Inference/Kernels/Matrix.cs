using Kvasir.Inference.Formats;
using Kvasir.Inference.Formats.Quantization;

namespace Kvasir.Inference.Kernels;

/// <summary>A weight matrix as it lies in the model file: <c>Rows</c> outputs by <c>Columns</c> inputs, row after row.</summary>
sealed unsafe class Matrix(TensorType type, int rows, int columns, byte* data)
{
    public TensorType Type => type;
    public int Rows => rows;
    public int Columns => columns;
    public int RowBytes { get; } = checked((int)type.RowBytes(columns));

    public byte* Address(int row) => data + (long)row * RowBytes;

    public ReadOnlySpan<byte> Row(int row) => new(Address(row), RowBytes);

    /// <summary>One row as floats, exactly as the format defines them.</summary>
    public void DequantizeRow(int row, Span<float> destination) => RowFormat.Dequantize(type, Row(row), destination);
}
