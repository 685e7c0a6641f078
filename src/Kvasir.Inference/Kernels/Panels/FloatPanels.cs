using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Kvasir.Formats;

namespace Kvasir.Inference.Kernels.Panels;

/// <summary>Panels of f32, f16 and bf16 weights: <c>[input][64 outputs]</c>, each weight as in the file.</summary>
sealed unsafe class FloatPanels : PanelFormat
{
    /// <summary>Four times sixteen lanes: enough sums at once to hide the latency of an addition.</summary>
    public const int PanelOutputs = 64;

    const int Square = 8; // halves of a vector of 128 bits
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
                for (; CanZip && _weightBytes == sizeof(ushort) && row + Square <= count; row += Square)
                    PackSquares(source + (long)row * rowBytes, rowBytes, row, column, end, (ushort*)panel);
                for (; row < count; row++)
                    PackStretch(source + (long)row * rowBytes, row, column, end, panel);
            }
    }

    /// <summary>Eight rows at once, eight weights of each: three rounds of zipping neighbours make them eight columns of eight.</summary>
    static void PackSquares(byte* source, int rowBytes, int row, int from, int to, ushort* panel)
    {
        int i = from;
        for (; i + Square <= to; i += Square)
        {
            byte* at = source + i * sizeof(ushort);
            ushort* first = panel + (long)i * PanelOutputs + row;
            Zip(Row(at, rowBytes, 0), Row(at, rowBytes, 4), out Vector128<ushort> a, out Vector128<ushort> b); // rows 0 and 4 by turns
            Zip(Row(at, rowBytes, 2), Row(at, rowBytes, 6), out Vector128<ushort> c, out Vector128<ushort> d);
            Zip(Row(at, rowBytes, 1), Row(at, rowBytes, 5), out Vector128<ushort> e, out Vector128<ushort> f);
            Zip(Row(at, rowBytes, 3), Row(at, rowBytes, 7), out Vector128<ushort> g, out Vector128<ushort> h);
            StoreColumns(a, c, e, g, first);
            StoreColumns(b, d, f, h, first + 4 * PanelOutputs);
        }
        for (; i < to; i++)
            for (int j = 0; j < Square; j++)
                panel[(long)i * PanelOutputs + row + j] = Unsafe.ReadUnaligned<ushort>(source + (long)j * rowBytes + i * sizeof(ushort));
    }

    /// <summary>Four columns, from what each of two rows have of them by turns: 0 and 4, 2 and 6, 1 and 5, 3 and 7.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StoreColumns(Vector128<ushort> a, Vector128<ushort> c, Vector128<ushort> e, Vector128<ushort> g, ushort* first)
    {
        Zip(a, c, out Vector128<ushort> even01, out Vector128<ushort> even23);
        Zip(e, g, out Vector128<ushort> odd01, out Vector128<ushort> odd23);
        Zip(even01, odd01, out Vector128<ushort> column0, out Vector128<ushort> column1);
        Zip(even23, odd23, out Vector128<ushort> column2, out Vector128<ushort> column3);
        column0.Store(first);
        column1.Store(first + PanelOutputs);
        column2.Store(first + 2 * PanelOutputs);
        column3.Store(first + 3 * PanelOutputs);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<ushort> Row(byte* at, int rowBytes, int row) => Vector128.Load((ushort*)(at + (long)row * rowBytes));

    static bool CanZip => Sse2.IsSupported || AdvSimd.Arm64.IsSupported;

    /// <summary>The elements of both by turns: of their lower halves, and of their upper ones.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void Zip(Vector128<ushort> a, Vector128<ushort> b, out Vector128<ushort> lower, out Vector128<ushort> upper) =>
        (lower, upper) = Sse2.IsSupported
            ? (Sse2.UnpackLow(a, b), Sse2.UnpackHigh(a, b))
            : (AdvSimd.Arm64.ZipLow(a, b), AdvSimd.Arm64.ZipHigh(a, b));

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
