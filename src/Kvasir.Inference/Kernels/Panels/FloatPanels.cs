using System.Runtime.CompilerServices;
using Kvasir.Formats;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>Panels of f32, f16 and bf16 weights: <c>[input][64 outputs]</c>, each weight as in the file.</summary>
sealed unsafe class FloatPanels : PanelFormat
{
    /// <summary>Four times sixteen lanes: enough sums at once to hide the latency of an addition.</summary>
    public const int PanelOutputs = 64;

    const int Square = sizeof(ulong) / sizeof(ushort);
    const int ColumnsAtOnce = 64; // a stretch of the panel that stays in the cache while every row writes to it

    static readonly FloatPanels s_singles = new(sizeof(float)), s_halves = new(sizeof(ushort));

    readonly int _weightBytes;

    FloatPanels(int weightBytes) => _weightBytes = weightBytes;

    public override int Outputs => PanelOutputs;

    public static new FloatPanels Of(TensorType type) => type == TensorType.F32 ? s_singles : s_halves;

    public override long Bytes(int columns) => (long)columns * PanelOutputs * _weightBytes;

    public override void Pack(ReadOnlySpan<byte> rows, int rowBytes, int columns, byte* panel)
    {
        int count = rows.Length / rowBytes;
        fixed (byte* source = rows)
            for (int column = 0; column < columns; column += ColumnsAtOnce)
            {
                int end = Math.Min(columns, column + ColumnsAtOnce), row = 0;
                for (; _weightBytes == sizeof(ushort) && row + Square <= count; row += Square)
                    PackSquares(source + (long)row * rowBytes, rowBytes, row, column, end, (ushort*)panel);
                for (; row < count; row++)
                    PackStretch(source + (long)row * rowBytes, row, column, end, panel);
            }
    }

    /// <summary>
    /// Four rows at once, four weights of each in one word: two rounds of swapping halves make words of four columns of it.
    /// </summary>
    static void PackSquares(byte* source, int rowBytes, int row, int from, int to, ushort* panel)
    {
        const ulong Even = 0x0000_FFFF_0000_FFFF, Low = 0x0000_0000_FFFF_FFFF;
        int i = from;
        for (; i + Square <= to; i += Square)
        {
            byte* at = source + i * sizeof(ushort);
            ulong a = Unsafe.ReadUnaligned<ulong>(at), b = Unsafe.ReadUnaligned<ulong>(at + rowBytes),
                c = Unsafe.ReadUnaligned<ulong>(at + 2L * rowBytes), d = Unsafe.ReadUnaligned<ulong>(at + 3L * rowBytes);
            ulong evenAb = a & Even | (b & Even) << 16, oddAb = a >> 16 & Even | b & ~Even,
                evenCd = c & Even | (d & Even) << 16, oddCd = c >> 16 & Even | d & ~Even;
            ushort* first = panel + (long)i * PanelOutputs + row;
            *(ulong*)first = evenAb & Low | evenCd << 32;
            *(ulong*)(first + PanelOutputs) = oddAb & Low | oddCd << 32;
            *(ulong*)(first + 2 * PanelOutputs) = evenAb >> 32 | evenCd & ~Low;
            *(ulong*)(first + 3 * PanelOutputs) = oddAb >> 32 | oddCd & ~Low;
        }
        for (; i < to; i++)
            for (int j = 0; j < Square; j++)
                panel[(long)i * PanelOutputs + row + j] = Unsafe.ReadUnaligned<ushort>(source + (long)j * rowBytes + i * sizeof(ushort));
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
