using System.Runtime.CompilerServices;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Activations as signed bytes: <c>x ≈ scale · q</c>, with a scale for each token and group of 32 inputs, <c>scale = max|x| / 127</c>. Four
/// tokens make a tile, whose groups follow one another, so that a product reads one ascending stream. A group of a tile of T tokens:
/// <code>
/// [8 quads][T][4]  bytes   the quants
/// [T]              int     −128 · Σ q, which takes back the 128 that every weight's byte has too much
/// [T]              float   scale
/// [T]              float   scale · Σ q, for weights with a minimum
/// [2][T]           int     −128 · Σ q of either half, for weights whose scales count for sixteen inputs
/// </code>
/// For AMX, whose tiles want a token's bytes side by side, twelve tokens make a tile: its group begins with <c>[T][32]</c> instead and
/// fills whole cache lines.
/// </summary>
sealed unsafe class QuantizedRows(int rows, int columns) : IDisposable
{
    /// <summary>Tokens of a tile; the last one may have fewer.</summary>
    public const int Tile = 4;

    /// <summary>Likewise, for AMX: as many as have their sums in registers, for all outputs of a panel.</summary>
    public const int RowTile = 12;

    /// <summary>Bytes of a group for each token of the tile.</summary>
    public const int GroupBytes = QuantizedPanels.Group + 5 * sizeof(int);

    /// <summary>Where the parts of a group begin, in bytes for each token of the tile.</summary>
    public const int Offsets = QuantizedPanels.Group, Scales = Offsets + sizeof(int), ScaledSums = Scales + sizeof(float),
        HalfOffsets = ScaledSums + sizeof(float);

    const int CacheLine = 64;

    readonly FloatRows _memory = new((rows + RowTile - 1) / RowTile, Groups(columns) * RowGroupBytes(RowTile) / sizeof(float));

    public static int Groups(int columns) => columns / QuantizedPanels.Group;

    public static int Tiles(int tokens) => (tokens + Tile - 1) / Tile;

    /// <summary>Tokens of a tile when there are so many in all.</summary>
    public static int TokensOf(int tile, int tokens) => Math.Min(Tile, tokens - tile * Tile);

    /// <summary>Bytes of a group for AMX.</summary>
    public static int RowGroupBytes(int tokens) => (tokens * GroupBytes + CacheLine - 1) & -CacheLine;

    /// <summary>First byte of a tile; they need no more memory than those for AMX, of which each is as many tokens as three.</summary>
    public byte* this[int tile] =>
        Rows(tile / (RowTile / Tile)) + tile % (RowTile / Tile) * (long)Groups(columns) * GroupBytes * Tile;

    /// <summary>First byte of a tile for AMX.</summary>
    public byte* Rows(int tile) => (byte*)_memory[tile];

    /// <summary>Bytes from one tile for AMX to the next.</summary>
    public nint RowsStride => (nint)_memory.Stride * sizeof(float);

    public void Dispose() => _memory.Dispose();
}

/// <summary>Quantises rows of activations, a tile an item; sums of half groups only if some weights need them.</summary>
unsafe struct Quantize<T>(FloatRows x, int columns, int tokens, bool halves, bool inRows, QuantizedRows result)
    : IComputeJob where T : struct, ILanes<T>
{
    const float Round = 12582912f; // 1.5 · 2^23: adding and subtracting it rounds to an integer, ties to even

    public readonly void Run(int tile, int thread)
    {
        int size = inRows ? QuantizedRows.RowTile : QuantizedRows.Tile, count = Math.Min(size, tokens - tile * size);
        int groupBytes = inRows ? QuantizedRows.RowGroupBytes(count) : count * QuantizedRows.GroupBytes;
        for (int token = 0; token < count; token++)
            QuantizeRow(x[tile * size + token], inRows ? result.Rows(tile) : result[tile], groupBytes, token, count);
    }

    /// <summary>One of a tile's tokens.</summary>
    public readonly void QuantizeRow(float* x, byte* group, int groupBytes, int token, int count)
    {
        for (int i = 0; i < columns; i += QuantizedPanels.Group, group += groupBytes)
            QuantizeGroup(x + i, group, token, count);
    }

    readonly void QuantizeGroup(float* x, byte* group, int token, int count)
    {
        T first = T.Load(x), second = T.Load(x + ILanes<T>.Count), zero = T.Broadcast(0);
        float largest = T.Largest(T.Max(T.Max(first, zero - first), T.Max(second, zero - second)));
        T inverse = T.Broadcast(largest > 0 ? 127 / largest : 0);
        first = T.MultiplyAdd(first, inverse, T.Broadcast(Round)) - T.Broadcast(Round);
        second = T.MultiplyAdd(second, inverse, T.Broadcast(Round)) - T.Broadcast(Round);
        if (inRows)
        {
            T.StoreBytes(first, (sbyte*)group + token * QuantizedPanels.Group);
            T.StoreBytes(second, (sbyte*)group + token * QuantizedPanels.Group + ILanes<T>.Count);
        }
        else
        {
            StoreQuads(first, (uint*)group + token, count);
            StoreQuads(second, (uint*)group + 4 * count + token, count);
        }
        float sum = T.Sum(first + second), scale = largest / 127; // a sum of integers: exact
        ((int*)(group + count * QuantizedRows.Offsets))[token] = -QuantizedPanels.Zero * (int)sum;
        ((float*)(group + count * QuantizedRows.Scales))[token] = scale;
        ((float*)(group + count * QuantizedRows.ScaledSums))[token] = scale * sum;
        if (halves)
            StoreHalves((int)T.Sum(first), (int)sum, (int*)(group + count * QuantizedRows.HalfOffsets) + token, count);
    }

    static void StoreHalves(int firstSum, int sum, int* offsets, int count) =>
        (offsets[0], offsets[count]) = (-QuantizedPanels.Zero * firstSum, -QuantizedPanels.Zero * (sum - firstSum));

    [MethodImpl(MethodImplOptions.AggressiveInlining)] // also because vectors as arguments keep code from being compiled ahead of time
    static void StoreQuads(T quants, uint* quads, int count)
    {
        uint* four = stackalloc uint[4];
        T.StoreBytes(quants, (sbyte*)four);
        for (int quad = 0; quad < 4; quad++)
            quads[quad * count] = four[quad];
    }
}
