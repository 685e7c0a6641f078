using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Kernels;

/// <summary>Sixteen lanes, one at a time: the twin that says what the vectors must compute, and runs on any machine.</summary>
unsafe struct LanesScalar : ILanes<LanesScalar>
{
    Sixteen _lanes;

    public static int Registers => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar Broadcast(float value)
    {
        LanesScalar result = default;
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            result._lanes[i] = value;
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar Load(float* source) => *(LanesScalar*)source;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar LoadHalf(ushort* source)
    {
        LanesScalar result = default;
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            result._lanes[i] = (float)BitConverter.UInt16BitsToHalf(source[i]);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar LoadBrainHalf(ushort* source)
    {
        LanesScalar result = default;
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            result._lanes[i] = BitConverter.Int32BitsToSingle(source[i] << 16);
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar LoadSignedBytes(sbyte* source)
    {
        LanesScalar result = default;
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            result._lanes[i] = source[i];
        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadNibbles(byte* source, out LanesScalar low, out LanesScalar high)
    {
        (low, high) = (default, default);
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            (low._lanes[i], high._lanes[i]) = (source[i] & 0x0F, source[i] >> 4);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(LanesScalar lanes, float* destination) => *(LanesScalar*)destination = lanes;

    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        for (int row = 0; row < ILanes<LanesScalar>.Count; row++)
            for (int column = 0; column < ILanes<LanesScalar>.Count; column++)
                ((uint*)destination)[column * destinationStride + row] = ((uint*)source)[row * sourceStride + column];
    }

    public static void TransposeHalves(ushort* source, nint sourceStride, float* destination, nint destinationStride)
    {
        for (int row = 0; row < ILanes<LanesScalar>.Count; row++)
            for (int column = 0; column < 2 * ILanes<LanesScalar>.Count; column++)
                destination[column * destinationStride + row] = (float)BitConverter.UInt16BitsToHalf(source[row * sourceStride + column]);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(LanesScalar lanes, sbyte* destination)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            destination[i] = (sbyte)lanes._lanes[i];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar operator +(LanesScalar a, LanesScalar b)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            a._lanes[i] += b._lanes[i];
        return a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar operator -(LanesScalar a, LanesScalar b)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            a._lanes[i] -= b._lanes[i];
        return a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar operator *(LanesScalar a, LanesScalar b)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            a._lanes[i] *= b._lanes[i];
        return a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar operator /(LanesScalar a, LanesScalar b)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            a._lanes[i] /= b._lanes[i];
        return a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar Max(LanesScalar a, LanesScalar b)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            a._lanes[i] = a._lanes[i] > b._lanes[i] ? a._lanes[i] : b._lanes[i];
        return a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar Min(LanesScalar a, LanesScalar b)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            a._lanes[i] = a._lanes[i] < b._lanes[i] ? a._lanes[i] : b._lanes[i];
        return a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar MultiplyAdd(LanesScalar a, LanesScalar b, LanesScalar c)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            c._lanes[i] = MathF.FusedMultiplyAdd(a._lanes[i], b._lanes[i], c._lanes[i]);
        return c;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar ScaleByPowerOf2(LanesScalar a, LanesScalar n)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            a._lanes[i] *= BitConverter.Int32BitsToSingle(((int)n._lanes[i] + 127) << 23);
        return a;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar SwapNeighbours(LanesScalar lanes)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i += 2)
            (lanes._lanes[i], lanes._lanes[i + 1]) = (lanes._lanes[i + 1], lanes._lanes[i]);
        return lanes;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(LanesScalar lanes)
    {
        for (int half = ILanes<LanesScalar>.Count / 2; half > 0; half /= 2)
            for (int i = 0; i < half; i++)
                lanes._lanes[i] += lanes._lanes[i + half];
        return lanes._lanes[0];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(LanesScalar lanes)
    {
        float largest = lanes._lanes[0];
        for (int i = 1; i < ILanes<LanesScalar>.Count; i++)
            largest = MathF.Max(largest, lanes._lanes[i]);
        return largest;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar BroadcastInteger(int value) => Broadcast(BitConverter.Int32BitsToSingle(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar StartDotProducts(int offset) => BroadcastInteger(offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBytePairs(byte* source, out LanesScalar even, out LanesScalar odd) =>
        (even, odd) = (Load((float*)source), default);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar AddDotProducts(LanesScalar sums, LanesScalar even, LanesScalar odd, int x)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
        {
            int four = BitConverter.SingleToInt32Bits(even._lanes[i]), sum = BitConverter.SingleToInt32Bits(sums._lanes[i]);
            for (int shift = 0; shift < 32; shift += 8)
                sum += (byte)(four >> shift) * (sbyte)(x >> shift);
            sums._lanes[i] = BitConverter.Int32BitsToSingle(sum);
        }
        return sums;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static LanesScalar AddCellProducts(LanesScalar sums, LanesScalar cells, LanesScalar x)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
        {
            uint sum = BitConverter.SingleToUInt32Bits(sums._lanes[i]), cell = BitConverter.SingleToUInt32Bits(cells._lanes[i]);
            int four = BitConverter.SingleToInt32Bits(x._lanes[i]);
            short low = (short)(sum + (cell & 3) * (sbyte)four + (cell >> 8 & 3) * (sbyte)(four >> 8));
            short high = (short)((sum >> 16) + (cell >> 16 & 3) * (sbyte)(four >> 16) + (cell >> 24 & 3) * (sbyte)(four >> 24));
            sums._lanes[i] = BitConverter.Int32BitsToSingle((ushort)low | high << 16);
        }
        return sums;
    }

    public static LanesScalar AddBits(LanesScalar bits, LanesScalar numbers, int shift)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            bits._lanes[i] = BitConverter.Int32BitsToSingle(
                BitConverter.SingleToInt32Bits(bits._lanes[i]) | (int)numbers._lanes[i] << shift);
        return bits;
    }

    public static LanesScalar AtLeast(LanesScalar a, LanesScalar b)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            a._lanes[i] = a._lanes[i] >= b._lanes[i] ? 1 : 0;
        return a;
    }

    public static LanesScalar NextCells(LanesScalar cells)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            cells._lanes[i] = BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(cells._lanes[i]) >> 2);
        return cells;
    }

    public static LanesScalar AddHalves(LanesScalar sums)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
        {
            int both = BitConverter.SingleToInt32Bits(sums._lanes[i]);
            sums._lanes[i] = BitConverter.Int32BitsToSingle((short)both + (both >> 16));
        }
        return sums;
    }

    public static LanesScalar ConvertToSingle(LanesScalar integers)
    {
        for (int i = 0; i < ILanes<LanesScalar>.Count; i++)
            integers._lanes[i] = BitConverter.SingleToInt32Bits(integers._lanes[i]);
        return integers;
    }

    [InlineArray(ILanes<LanesScalar>.Count)]
    struct Sixteen
    {
        float _first;
    }
}
