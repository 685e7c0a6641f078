using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.Arm;
using System.Runtime.Intrinsics.X86;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Sixteen lanes in four 128-bit vectors, four lanes each: Arm's Advanced SIMD. Elsewhere it is exact and slow, so that tests can hold it
/// against the others without an Arm machine.
/// </summary>
/// <typeparam name="TBytes">How the machine multiplies bytes.</typeparam>
readonly unsafe struct Lanes128<TBytes>(Vector128<float> a, Vector128<float> b, Vector128<float> c, Vector128<float> d)
    : ILanes<Lanes128<TBytes>> where TBytes : struct, IByteProducts
{
    const int Part = 4; // lanes of a vector

    readonly Vector128<float> _a = a, _b = b, _c = c, _d = d;

    Lanes128(Vector128<float> all) : this(all, all, all, all) { }

    public static int Registers => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> Broadcast(float value) => new(Vector128.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> Load(float* source) => new(Vector128.Load(source), Vector128.Load(source + Part),
        Vector128.Load(source + 2 * Part), Vector128.Load(source + 3 * Part));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> LoadHalf(ushort* source)
    {
        Vector128<ushort> first = Vector128.Load(source), second = Vector128.Load(source + 2 * Part);
        return new(F16.WidenUpper(Lower(first).AsInt32()), F16.WidenUpper(Upper(first).AsInt32()),
            F16.WidenUpper(Lower(second).AsInt32()), F16.WidenUpper(Upper(second).AsInt32()));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> LoadBrainHalf(ushort* source)
    {
        Vector128<ushort> first = Vector128.Load(source), second = Vector128.Load(source + 2 * Part);
        return new(Lower(first).AsSingle(), Upper(first).AsSingle(), Lower(second).AsSingle(), Upper(second).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> LoadSignedBytes(sbyte* source) => Widen(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadNibbles(byte* source, out Lanes128<TBytes> low, out Lanes128<TBytes> high)
    {
        Vector128<byte> pairs = Vector128.Load(source);
        low = Widen((pairs & Vector128.Create((byte)0x0F)).AsSByte());
        high = Widen((pairs >>> 4).AsSByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes128<TBytes> lanes, float* destination)
    {
        lanes._a.Store(destination);
        lanes._b.Store(destination + Part);
        lanes._c.Store(destination + 2 * Part);
        lanes._d.Store(destination + 3 * Part);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(Lanes128<TBytes> lanes, sbyte* destination)
    {
        Vector128<short> first = Vector128.Narrow(Vector128.ConvertToInt32Native(lanes._a), Vector128.ConvertToInt32Native(lanes._b));
        Vector128<short> second = Vector128.Narrow(Vector128.ConvertToInt32Native(lanes._c), Vector128.ConvertToInt32Native(lanes._d));
        Vector128.Narrow(first, second).Store(destination);
    }

    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        if (!CanZip)
        {
            LanesScalar.Transpose(source, sourceStride, destination, destinationStride);
            return;
        }
        for (int row = 0; row < ILanes<Lanes128<TBytes>>.Count; row += Part)
            for (int column = 0; column < ILanes<Lanes128<TBytes>>.Count; column += Part)
                TransposeFour(source + row * sourceStride + column, sourceStride,
                    destination + column * destinationStride + row, destinationStride);
    }

    public static void TransposeHalves(ushort* source, nint sourceStride, float* destination, nint destinationStride)
    {
        const int lanes = ILanes<Lanes128<TBytes>>.Count;
        int* pairs = stackalloc int[lanes * lanes];
        Transpose((float*)source, sourceStride / 2, (float*)pairs, lanes);
        for (int i = 0; i < lanes; i++, destination += 2 * destinationStride)
            for (int part = 0; part < lanes; part += Part, pairs += Part)
            {
                Vector128<int> both = Vector128.Load(pairs);
                F16.WidenUpper(both << 16).Store(destination + part);
                F16.WidenUpper(both).Store(destination + destinationStride + part);
            }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> operator +(Lanes128<TBytes> x, Lanes128<TBytes> y) =>
        new(x._a + y._a, x._b + y._b, x._c + y._c, x._d + y._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> operator -(Lanes128<TBytes> x, Lanes128<TBytes> y) =>
        new(x._a - y._a, x._b - y._b, x._c - y._c, x._d - y._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> operator *(Lanes128<TBytes> x, Lanes128<TBytes> y) =>
        new(x._a * y._a, x._b * y._b, x._c * y._c, x._d * y._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> operator /(Lanes128<TBytes> x, Lanes128<TBytes> y) =>
        new(x._a / y._a, x._b / y._b, x._c / y._c, x._d / y._d);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> Max(Lanes128<TBytes> x, Lanes128<TBytes> y) =>
        new(Larger(x._a, y._a), Larger(x._b, y._b), Larger(x._c, y._c), Larger(x._d, y._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> Min(Lanes128<TBytes> x, Lanes128<TBytes> y) =>
        new(Smaller(x._a, y._a), Smaller(x._b, y._b), Smaller(x._c, y._c), Smaller(x._d, y._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> AtLeast(Lanes128<TBytes> x, Lanes128<TBytes> y) =>
        new(AtLeast(x._a, y._a), AtLeast(x._b, y._b), AtLeast(x._c, y._c), AtLeast(x._d, y._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> MultiplyAdd(Lanes128<TBytes> x, Lanes128<TBytes> y, Lanes128<TBytes> z) => new(
        Vector128.FusedMultiplyAdd(x._a, y._a, z._a), Vector128.FusedMultiplyAdd(x._b, y._b, z._b),
        Vector128.FusedMultiplyAdd(x._c, y._c, z._c), Vector128.FusedMultiplyAdd(x._d, y._d, z._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> ScaleByPowerOf2(Lanes128<TBytes> x, Lanes128<TBytes> n) =>
        new(x._a * PowerOf2(n._a), x._b * PowerOf2(n._b), x._c * PowerOf2(n._c), x._d * PowerOf2(n._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> SwapNeighbours(Lanes128<TBytes> lanes) =>
        new(SwapNeighbours(lanes._a), SwapNeighbours(lanes._b), SwapNeighbours(lanes._c), SwapNeighbours(lanes._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes128<TBytes> lanes)
    {
        Vector128<float> four = lanes._a + lanes._c + (lanes._b + lanes._d);
        Vector64<float> two = four.GetLower() + four.GetUpper();
        return two[0] + two[1];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Lanes128<TBytes> lanes)
    {
        Vector128<float> four = Larger(Larger(lanes._a, lanes._c), Larger(lanes._b, lanes._d));
        Vector128<float> two = Larger(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Larger(two, SwapNeighbours(two)).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> BroadcastInteger(int value) => new(Vector128.Create(value).AsSingle());

    // Bytes are multiplied as signed ones: what a weight's byte has too much is taken away here, and not by what sums start from.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> StartDotProducts(int offset) => default;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBytePairs(byte* source, out Lanes128<TBytes> even, out Lanes128<TBytes> odd)
    {
        Vector128<byte> zero = Vector128.Create((byte)Panels.QuantizedPanels.Zero);
        even = new((Vector128.Load(source) ^ zero).AsSingle(), (Vector128.Load(source + 16) ^ zero).AsSingle(),
            (Vector128.Load(source + 32) ^ zero).AsSingle(), (Vector128.Load(source + 48) ^ zero).AsSingle());
        odd = default;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> AddDotProducts(Lanes128<TBytes> sums, Lanes128<TBytes> even, Lanes128<TBytes> odd, int x)
    {
        Vector128<sbyte> quad = Vector128.Create(x).AsSByte();
        return new(
            TBytes.AddDotProducts(sums._a.AsInt32(), even._a.AsSByte(), quad).AsSingle(),
            TBytes.AddDotProducts(sums._b.AsInt32(), even._b.AsSByte(), quad).AsSingle(),
            TBytes.AddDotProducts(sums._c.AsInt32(), even._c.AsSByte(), quad).AsSingle(),
            TBytes.AddDotProducts(sums._d.AsInt32(), even._d.AsSByte(), quad).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> AddCellProducts(Lanes128<TBytes> sums, Lanes128<TBytes> cells, Lanes128<TBytes> x) => new(
        AddCellProducts(sums._a, cells._a, x._a), AddCellProducts(sums._b, cells._b, x._b),
        AddCellProducts(sums._c, cells._c, x._c), AddCellProducts(sums._d, cells._d, x._d));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> AddBits(Lanes128<TBytes> bits, Lanes128<TBytes> numbers, int shift) => new(
        AddBits(bits._a, numbers._a, shift), AddBits(bits._b, numbers._b, shift),
        AddBits(bits._c, numbers._c, shift), AddBits(bits._d, numbers._d, shift));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> NextCells(Lanes128<TBytes> cells) => new(
        (cells._a.AsUInt32() >>> 2).AsSingle(), (cells._b.AsUInt32() >>> 2).AsSingle(),
        (cells._c.AsUInt32() >>> 2).AsSingle(), (cells._d.AsUInt32() >>> 2).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> AddHalves(Lanes128<TBytes> sums) =>
        new(AddHalves(sums._a.AsInt32()), AddHalves(sums._b.AsInt32()), AddHalves(sums._c.AsInt32()), AddHalves(sums._d.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes128<TBytes> ConvertToSingle(Lanes128<TBytes> integers) => new(
        Vector128.ConvertToSingle(integers._a.AsInt32()), Vector128.ConvertToSingle(integers._b.AsInt32()),
        Vector128.ConvertToSingle(integers._c.AsInt32()), Vector128.ConvertToSingle(integers._d.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes128<TBytes> Widen(Vector128<sbyte> bytes)
    {
        (Vector128<short> first, Vector128<short> second) = Vector128.Widen(bytes);
        return ConvertToSingle(new(Vector128.WidenLower(first).AsSingle(), Vector128.WidenUpper(first).AsSingle(),
            Vector128.WidenLower(second).AsSingle(), Vector128.WidenUpper(second).AsSingle()));
    }

    /// <summary>The lower four of eight, each in the upper half of its lane.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<uint> Lower(Vector128<ushort> eight) => AdvSimd.Arm64.IsSupported
        ? AdvSimd.Arm64.ZipLow(Vector128<ushort>.Zero, eight).AsUInt32()
        : Vector128.WidenLower(eight) << 16;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<uint> Upper(Vector128<ushort> eight) => AdvSimd.Arm64.IsSupported
        ? AdvSimd.Arm64.ZipHigh(Vector128<ushort>.Zero, eight).AsUInt32()
        : Vector128.WidenUpper(eight) << 16;

    // Arm's own maximum differs: it is not a number where one of the two is not, and 0 where they are 0 and -0.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> Larger(Vector128<float> x, Vector128<float> y) =>
        Vector128.ConditionalSelect(Vector128.GreaterThan(x, y), x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> Smaller(Vector128<float> x, Vector128<float> y) =>
        Vector128.ConditionalSelect(Vector128.LessThan(x, y), x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> AtLeast(Vector128<float> x, Vector128<float> y) =>
        (Vector128.GreaterThanOrEqual(x, y).AsInt32() & Vector128<float>.One.AsInt32()).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> PowerOf2(Vector128<float> n) =>
        ((Vector128.ConvertToInt32Native(n) + Vector128.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> SwapNeighbours(Vector128<float> four) => Vector128.Shuffle(four, Vector128.Create(1, 0, 3, 2));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> AddBits(Vector128<float> bits, Vector128<float> numbers, int shift) =>
        (bits.AsInt32() | Vector128.ConvertToInt32Native(numbers) << shift).AsSingle();

    // Sums of two products, at most 2 * 3 * 127 each, are in 16 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> AddCellProducts(Vector128<float> sums, Vector128<float> cells, Vector128<float> x)
    {
        Vector128<sbyte> low = (cells.AsInt32() & Vector128.Create(0x03030303)).AsSByte();
        return (sums.AsInt16() + WideningProducts.InPairs(low, x.AsSByte())).AsSingle();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> AddHalves(Vector128<int> sums) => ((sums << 16 >> 16) + (sums >> 16)).AsSingle();

    static bool CanZip => Sse2.IsSupported || AdvSimd.Arm64.IsSupported;

    // Rows 0 and 2 by turns, and 1 and 3; then those by turns: four rows of four words.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void TransposeFour(float* s, nint stride, float* d, nint destinationStride)
    {
        Vector128<float> r0 = Vector128.Load(s), r1 = Vector128.Load(s + stride), r2 = Vector128.Load(s + 2 * stride),
            r3 = Vector128.Load(s + 3 * stride);
        Vector128<float> even01 = ZipLow(r0, r2), even23 = ZipHigh(r0, r2), odd01 = ZipLow(r1, r3), odd23 = ZipHigh(r1, r3);
        ZipLow(even01, odd01).Store(d);
        ZipHigh(even01, odd01).Store(d + destinationStride);
        ZipLow(even23, odd23).Store(d + 2 * destinationStride);
        ZipHigh(even23, odd23).Store(d + 3 * destinationStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> ZipLow(Vector128<float> x, Vector128<float> y) =>
        Sse2.IsSupported ? Sse.UnpackLow(x, y) : AdvSimd.Arm64.ZipLow(x, y);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector128<float> ZipHigh(Vector128<float> x, Vector128<float> y) =>
        Sse2.IsSupported ? Sse.UnpackHigh(x, y) : AdvSimd.Arm64.ZipHigh(x, y);
}
