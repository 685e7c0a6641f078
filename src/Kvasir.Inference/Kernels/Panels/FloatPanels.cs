using Kvasir.Formats;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>Panels of f32, f16 and bf16 weights: <c>[input][64 outputs]</c>, each weight as in the file.</summary>
sealed unsafe class FloatPanels : PanelFormat
{
    /// <summary>Four times sixteen lanes: enough sums at once to hide the latency of an addition.</summary>
    public const int PanelOutputs = 64;

    const int ColumnsAtOnce = 64; // a stretch of the panel that stays in the cache while every row writes to it

    static readonly FloatPanels s_singles = new(sizeof(float)), s_halves = new(sizeof(ushort));

    readonly int _weightBytes;

    FloatPanels(int weightBytes) => _weightBytes = weightBytes;

    public override int Outputs => PanelOutputs;

    public static new FloatPanels Of(TensorType type) => type == TensorType.F32 ? s_singles : s_halves;

    public override long Bytes(int columns) => (long)columns * PanelOutputs * _weightBytes;

    public override void Pack(ReadOnlySpan<byte> rows, int rowBytes, int columns, byte* panel)
    {
        fixed (byte* source = rows)
            for (int column = 0; column < columns; column += ColumnsAtOnce)
                for (int row = 0; row < rows.Length / rowBytes; row++)
                    PackStretch(source + (long)row * rowBytes, row, column, Math.Min(columns, column + ColumnsAtOnce), panel);
    }

    void PackStretch(byte* source, int row, int from, int to, byte* panel)
    {
        if (_weightBytes == sizeof(float))
            for (int i = from; i < to; i++)
                ((float*)panel)[(long)i * PanelOutputs + row] = ((float*)source)[i];
        else
            for (int i = from; i < to; i++)
                ((ushort*)panel)[(long)i * PanelOutputs + row] = ((ushort*)source)[i];
    }
}
