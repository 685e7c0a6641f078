using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Kernels;

/// <summary>Sixteen lanes in one 512-bit vector.</summary>
readonly unsafe struct Lanes512(Vector512<float> v) : ILanes<Lanes512>
{
    readonly Vector512<float> _v = v;

    public static int Registers => 32;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Broadcast(float value) => new(Vector512.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Load(float* source) => new(Vector512.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadHalf(ushort* source) => new(F16.WidenUpper(
        Avx512F.IsSupported
            ? Avx512F.ConvertToVector512Int32(Vector256.Load(source)) << 16
            : Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe()).AsInt32() << 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadBrainHalf(ushort* source) =>
        new(BF16.Widen(Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadSignedBytes(sbyte* source) => Widen(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadNibbles(byte* source, out Lanes512 low, out Lanes512 high)
    {
        Vector128<byte> pairs = Vector128.Load(source);
        low = Widen((pairs & Vector128.Create((byte)0x0F)).AsSByte());
        high = Widen((pairs >>> 4).AsSByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes512 Widen(Vector128<sbyte> bytes) => new(Vector512.ConvertToSingle(
        Avx512F.IsSupported
            ? Avx512F.ConvertToVector512Int32(bytes)
            : Vector512.WidenLower(Vector512.WidenLower(bytes.ToVector256Unsafe().ToVector512Unsafe()))));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 lanes, float* destination) => lanes._v.Store(destination);

    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        if (!Avx512F.IsSupported)
        {
            LanesScalar.Transpose(source, sourceStride, destination, destinationStride);
            return;
        }
        for (int column = 0; column < ILanes<Lanes512>.Count; column += 4, destination += 4 * destinationStride)
        {
            FourColumns(source + column, sourceStride, out Vector512<float> a, out Vector512<float> b,
                out Vector512<float> c, out Vector512<float> d);
            a.Store(destination);
            b.Store(destination + destinationStride);
            c.Store(destination + 2 * destinationStride);
            d.Store(destination + 3 * destinationStride);
        }
    }

    public static void TransposeHalves(ushort* source, nint sourceStride, float* destination, nint destinationStride)
    {
        if (!Avx512F.IsSupported)
        {
            LanesScalar.TransposeHalves(source, sourceStride, destination, destinationStride);
            return;
        }
        for (int column = 0; column < ILanes<Lanes512>.Count; column += 4, destination += 8 * destinationStride)
        {
            FourColumns((float*)source + column, sourceStride / 2, out Vector512<float> a, out Vector512<float> b,
                out Vector512<float> c, out Vector512<float> d);
            StorePairs(a.AsInt32(), destination, destinationStride);
            StorePairs(b.AsInt32(), destination + 2 * destinationStride, destinationStride);
            StorePairs(c.AsInt32(), destination + 4 * destinationStride, destinationStride);
            StorePairs(d.AsInt32(), destination + 6 * destinationStride, destinationStride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(Lanes512 lanes, sbyte* destination)
    {
        Vector512<int> integers = Vector512.ConvertToInt32(lanes._v);
        if (Avx512F.IsSupported)
            Avx512F.ConvertToVector128SByte(integers).Store(destination);
        else
            Vector128.Narrow(Vector256.Narrow(integers.GetLower(), integers.GetUpper()).GetLower(),
                Vector256.Narrow(integers.GetLower(), integers.GetUpper()).GetUpper()).Store(destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator +(Lanes512 a, Lanes512 b) => new(a._v + b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator -(Lanes512 a, Lanes512 b) => new(a._v - b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator *(Lanes512 a, Lanes512 b) => new(a._v * b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 operator /(Lanes512 a, Lanes512 b) => new(a._v / b._v);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Max(Lanes512 a, Lanes512 b) => new(Vector512.MaxNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Min(Lanes512 a, Lanes512 b) => new(Vector512.MinNative(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 AtLeast(Lanes512 a, Lanes512 b) =>
        new(Vector512.ConditionalSelect(Vector512.GreaterThanOrEqual(a._v, b._v), Vector512<float>.One, Vector512<float>.Zero));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) => new(Vector512.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ScaleByPowerOf2(Lanes512 a, Lanes512 n) =>
        new(Avx512F.IsSupported
            ? Avx512F.Scale(a._v, n._v)
            : a._v * ((Vector512.ConvertToInt32(n._v) + Vector512.Create(127)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 SwapNeighbours(Lanes512 lanes) =>
        new(Vector512.Shuffle(lanes._v, Vector512.Create(1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes512 lanes) => Lanes256.Sum(lanes._v.GetLower() + lanes._v.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Lanes512 lanes) => Lanes256.Largest(Vector256.MaxNative(lanes._v.GetLower(), lanes._v.GetUpper()));


    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 BroadcastInteger(int value) => new(Vector512.Create(value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 StartDotProducts(int offset) => BroadcastInteger(offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBytePairs(byte* source, out Lanes512 even, out Lanes512 odd)
    {
        Vector512<ushort> pairs = Vector512.Load(source).AsUInt16();
        even = new((pairs & Vector512.Create((ushort)0xFF)).AsSingle());
        odd = new((pairs >>> 8).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 AddDotProducts(Lanes512 sums, Lanes512 even, Lanes512 odd, int x)
    {
        Vector512<short> quad = Vector512.Create(x).AsInt16();
        if (!Avx512BW.IsSupported)
            return new(Vector512.Create(
                Lanes256.AddDotProducts(sums._v.GetLower().AsInt32(), even._v.GetLower().AsUInt32(), odd._v.GetLower().AsUInt32(), x),
                Lanes256.AddDotProducts(sums._v.GetUpper().AsInt32(), even._v.GetUpper().AsUInt32(), odd._v.GetUpper().AsUInt32(), x))
                .AsSingle());
        Vector512<int> products = Avx512BW.MultiplyAddAdjacent(even._v.AsInt16(), quad << 8 >> 8);
        return new((sums._v.AsInt32() + products + Avx512BW.MultiplyAddAdjacent(odd._v.AsInt16(), quad >> 8)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 AddCellProducts(Lanes512 sums, Lanes512 cells, Lanes512 x)
    {
        if (!Avx512BW.IsSupported)
            return new(Vector512.Create(Lanes256.AddCellProducts(sums._v.GetLower(), cells._v.GetLower(), x._v.GetLower()),
                Lanes256.AddCellProducts(sums._v.GetUpper(), cells._v.GetUpper(), x._v.GetUpper())));
        Vector512<byte> low = (cells._v.AsInt32() & Vector512.Create(0x03030303)).AsByte();
        return new((sums._v.AsInt16() + Avx512BW.MultiplyAddAdjacent(low, x._v.AsSByte())).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 AddBits(Lanes512 bits, Lanes512 numbers, int shift) =>
        new((bits._v.AsInt32() | Vector512.ConvertToInt32Native(numbers._v) << shift).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 NextCells(Lanes512 cells) => new((cells._v.AsUInt32() >>> 2).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 AddHalves(Lanes512 sums) => new(((sums._v.AsInt32() << 16 >> 16) + (sums._v.AsInt32() >> 16)).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ConvertToSingle(Lanes512 integers) => new(Vector512.ConvertToSingle(integers._v.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void StorePairs(Vector512<int> pairs, float* destination, nint stride)
    {
        F16.WidenUpper(pairs << 16).Store(destination);
        F16.WidenUpper(pairs).Store(destination + stride);
    }

    // Row r of the four columns goes to 128-bit part r / 4 of vector r % 4 while it is loaded: what is left is to
    // transpose 4 × 4 in every part.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void FourColumns(float* source, nint stride, out Vector512<float> a, out Vector512<float> b,
        out Vector512<float> c, out Vector512<float> d)
    {
        Vector512<float> row0 = EveryFourthRow(source, stride), row1 = EveryFourthRow(source + stride, stride);
        Vector512<float> row2 = EveryFourthRow(source + 2 * stride, stride), row3 = EveryFourthRow(source + 3 * stride, stride);
        Vector512<double> low01 = Avx512F.UnpackLow(row0, row1).AsDouble(), high01 = Avx512F.UnpackHigh(row0, row1).AsDouble();
        Vector512<double> low23 = Avx512F.UnpackLow(row2, row3).AsDouble(), high23 = Avx512F.UnpackHigh(row2, row3).AsDouble();
        (a, b) = (Avx512F.UnpackLow(low01, low23).AsSingle(), Avx512F.UnpackHigh(low01, low23).AsSingle());
        (c, d) = (Avx512F.UnpackLow(high01, high23).AsSingle(), Avx512F.UnpackHigh(high01, high23).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> EveryFourthRow(float* source, nint stride) =>
        Avx512F.InsertVector128(Avx512F.InsertVector128(Avx512F.InsertVector128(
        Vector128.Load(source).ToVector256Unsafe().ToVector512Unsafe(), Vector128.Load(source + 4 * stride), 1),
        Vector128.Load(source + 8 * stride), 2), Vector128.Load(source + 12 * stride), 3);
}
