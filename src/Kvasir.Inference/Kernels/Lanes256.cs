using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Kvasir.Formats.Quantization;

namespace Kvasir.Inference.Kernels;

/// <summary>Sixteen lanes in two 256-bit vectors: lanes 0–7 and 8–15.</summary>
readonly unsafe struct Lanes256(Vector256<float> low, Vector256<float> high) : ILanes<Lanes256>
{
    readonly Vector256<float> _low = low, _high = high;

    Lanes256(Vector256<float> both) : this(both, both) { }

    public static int Registers => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Broadcast(float value) => new(Vector256.Create(value));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Load(float* source) => new(Vector256.Load(source), Vector256.Load(source + 8));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadHalf(ushort* source)
    {
        (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Load(source));
        return new(F16.Widen(low), F16.Widen(high));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadBrainHalf(ushort* source)
    {
        (Vector256<uint> low, Vector256<uint> high) = Vector256.Widen(Vector256.Load(source));
        return new(BF16.Widen(low), BF16.Widen(high));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 LoadSignedBytes(sbyte* source) => Widen(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadNibbles(byte* source, out Lanes256 low, out Lanes256 high)
    {
        Vector128<byte> pairs = Vector128.Load(source);
        low = Widen((pairs & Vector128.Create((byte)0x0F)).AsSByte());
        high = Widen((pairs >>> 4).AsSByte());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes256 Widen(Vector128<sbyte> bytes)
    {
        Vector256<short> words = Vector256.WidenLower(bytes.ToVector256Unsafe());
        return new(Vector256.ConvertToSingle(Vector256.WidenLower(words)), Vector256.ConvertToSingle(Vector256.WidenUpper(words)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes256 lanes, float* destination)
    {
        lanes._low.Store(destination);
        lanes._high.Store(destination + 8);
    }

    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        if (!Avx.IsSupported)
            LanesScalar.Transpose(source, sourceStride, destination, destinationStride);
        else
            for (int row = 0; row < ILanes<Lanes256>.Count; row += 8)
                for (int column = 0; column < ILanes<Lanes256>.Count; column += 8)
                    TransposeEight(source + row * sourceStride + column, sourceStride,
                        destination + column * destinationStride + row, destinationStride);
    }

    public static void TransposeHalves(ushort* source, nint sourceStride, float* destination, nint destinationStride)
    {
        const int lanes = ILanes<Lanes256>.Count;
        int* pairs = stackalloc int[lanes * lanes];
        Transpose((float*)source, sourceStride / 2, (float*)pairs, lanes);
        for (int i = 0; i < lanes; i++, pairs += lanes, destination += 2 * destinationStride)
        {
            Vector256<int> low = Vector256.Load(pairs), high = Vector256.Load(pairs + 8);
            Store(new(F16.WidenUpper(low << 16), F16.WidenUpper(high << 16)), destination);
            Store(new(F16.WidenUpper(low), F16.WidenUpper(high)), destination + destinationStride);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(Lanes256 lanes, sbyte* destination)
    {
        Vector256<short> words = Vector256.Narrow(Vector256.ConvertToInt32(lanes._low), Vector256.ConvertToInt32(lanes._high));
        Vector128.Narrow(words.GetLower(), words.GetUpper()).Store(destination);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator +(Lanes256 a, Lanes256 b) => new(a._low + b._low, a._high + b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator -(Lanes256 a, Lanes256 b) => new(a._low - b._low, a._high - b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator *(Lanes256 a, Lanes256 b) => new(a._low * b._low, a._high * b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 operator /(Lanes256 a, Lanes256 b) => new(a._low / b._low, a._high / b._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Max(Lanes256 a, Lanes256 b) => new(Vector256.MaxNative(a._low, b._low), Vector256.MaxNative(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 Min(Lanes256 a, Lanes256 b) => new(Vector256.MinNative(a._low, b._low), Vector256.MinNative(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 MultiplyAdd(Lanes256 a, Lanes256 b, Lanes256 c) =>
        new(Vector256.FusedMultiplyAdd(a._low, b._low, c._low), Vector256.FusedMultiplyAdd(a._high, b._high, c._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ScaleByPowerOf2(Lanes256 a, Lanes256 n) => new(Scale(a._low, n._low), Scale(a._high, n._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 SwapNeighbours(Lanes256 lanes) => new(SwapNeighbours(lanes._low), SwapNeighbours(lanes._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> SwapNeighbours(Vector256<float> eight) => Vector256.Shuffle(eight, Vector256.Create(1, 0, 3, 2, 5, 4, 7, 6));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes256 lanes) => Sum(lanes._low + lanes._high);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Lanes256 lanes) => Largest(Vector256.MaxNative(lanes._low, lanes._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Sum(Vector256<float> eight)
    {
        Vector128<float> four = eight.GetLower() + eight.GetUpper();
        Vector64<float> two = four.GetLower() + four.GetUpper();
        return two[0] + two[1];
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static float Largest(Vector256<float> eight)
    {
        Vector128<float> four = Vector128.MaxNative(eight.GetLower(), eight.GetUpper());
        Vector128<float> two = Vector128.MaxNative(four, Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1)));
        return Vector128.MaxNative(two, Vector128.Shuffle(two, Vector128.Create(1, 0, 3, 2))).ToScalar();
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> Scale(Vector256<float> a, Vector256<float> n) =>
        a * ((Vector256.ConvertToInt32(n) + Vector256.Create(127)) << 23).AsSingle();

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 BroadcastInteger(int value) => new(Vector256.Create(value).AsSingle(), Vector256.Create(value).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 StartDotProducts(int offset) => BroadcastInteger(offset);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadBytePairs(byte* source, out Lanes256 even, out Lanes256 odd)
    {
        Vector256<uint> low = Vector256.Load((uint*)source), high = Vector256.Load((uint*)source + 8);
        if (AvxVnni.IsSupported) // multiplies bytes: nothing to split
            (even, odd) = (new(low.AsSingle(), high.AsSingle()), default);
        else
        {
            Vector256<uint> mask = Vector256.Create(0x00FF00FFu);
            even = new((low & mask).AsSingle(), (high & mask).AsSingle());
            odd = new((low.AsUInt16() >>> 8).AsSingle(), (high.AsUInt16() >>> 8).AsSingle());
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 AddDotProducts(Lanes256 sums, Lanes256 even, Lanes256 odd, int x)
    {
        if (AvxVnni.IsSupported)
        {
            Vector256<sbyte> quad = Vector256.Create(x).AsSByte();
            return new(
                AvxVnni.MultiplyWideningAndAdd(sums._low.AsInt32(), even._low.AsByte(), quad).AsSingle(),
                AvxVnni.MultiplyWideningAndAdd(sums._high.AsInt32(), even._high.AsByte(), quad).AsSingle());
        }
        return new(
            AddDotProducts(sums._low.AsInt32(), even._low.AsUInt32(), odd._low.AsUInt32(), x).AsSingle(),
            AddDotProducts(sums._high.AsInt32(), even._high.AsUInt32(), odd._high.AsUInt32(), x).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 AddCellProducts(Lanes256 sums, Lanes256 cells, Lanes256 x) =>
        new(AddCellProducts(sums._low, cells._low, x._low), AddCellProducts(sums._high, cells._high, x._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 AddBits(Lanes256 bits, Lanes256 numbers, int shift) =>
        new((bits._low.AsInt32() | Vector256.ConvertToInt32Native(numbers._low) << shift).AsSingle(),
            (bits._high.AsInt32() | Vector256.ConvertToInt32Native(numbers._high) << shift).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 AtLeast(Lanes256 a, Lanes256 b) => new(AtLeast(a._low, b._low), AtLeast(a._high, b._high));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 NextCells(Lanes256 cells) =>
        new((cells._low.AsUInt32() >>> 2).AsSingle(), (cells._high.AsUInt32() >>> 2).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 AddHalves(Lanes256 sums) => new(AddHalves(sums._low.AsInt32()), AddHalves(sums._high.AsInt32()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes256 ConvertToSingle(Lanes256 integers) =>
        new(Vector256.ConvertToSingle(integers._low.AsInt32()), Vector256.ConvertToSingle(integers._high.AsInt32()));

    // Sums of two products, at most 2 * 3 * 127 each, are in 16 bits.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<float> AddCellProducts(Vector256<float> sums, Vector256<float> cells, Vector256<float> x)
    {
        Vector256<int> low = cells.AsInt32() & Vector256.Create(0x03030303);
        if (Avx2.IsSupported)
            return (sums.AsInt16() + Avx2.MultiplyAddAdjacent(low.AsByte(), x.AsSByte())).AsSingle();
        Vector256<short> even = (low.AsInt16() << 8 >>> 8) * (x.AsInt16() << 8 >> 8), odd = (low.AsInt16() >>> 8) * (x.AsInt16() >> 8);
        return (sums.AsInt16() + even + odd).AsSingle();
    }

    static Vector256<float> AtLeast(Vector256<float> a, Vector256<float> b) =>
        Vector256.ConditionalSelect(Vector256.GreaterThanOrEqual(a, b), Vector256<float>.One, Vector256<float>.Zero);

    static Vector256<float> AddHalves(Vector256<int> sums) => ((sums << 16 >> 16) + (sums >> 16)).AsSingle();

    // Products of 16 bits, added in pairs: bytes 0 and 2 of each four, then 1 and 3. No sum of two can overflow.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static Vector256<int> AddDotProducts(Vector256<int> sums, Vector256<uint> even, Vector256<uint> odd, int x)
    {
        if (Avx2.IsSupported)
        {
            Vector256<short> quad = Vector256.Create(x).AsInt16();
            Vector256<int> products = Avx2.MultiplyAddAdjacent(even.AsInt16(), quad << 8 >> 8);
            return sums + products + Avx2.MultiplyAddAdjacent(odd.AsInt16(), quad >> 8);
        }
        Vector256<uint> mask = Vector256.Create(0xFFu);
        sums += (even & mask).AsInt32() * (sbyte)x + (even >>> 16).AsInt32() * (sbyte)(x >> 16);
        return sums + (odd & mask).AsInt32() * (sbyte)(x >> 8) + (odd >>> 16).AsInt32() * (sbyte)(x >> 24);
    }

    // Pairs of rows, then pairs of pairs, then halves: eight rows of eight words.
    static void TransposeEight(float* s, nint stride, float* d, nint destinationStride)
    {
        Vector256<float> r0 = Vector256.Load(s), r1 = Vector256.Load(s + stride), r2 = Vector256.Load(s + 2 * stride),
            r3 = Vector256.Load(s + 3 * stride);
        s += 4 * stride;
        Vector256<float> r4 = Vector256.Load(s), r5 = Vector256.Load(s + stride), r6 = Vector256.Load(s + 2 * stride),
            r7 = Vector256.Load(s + 3 * stride);
        FourColumns(Avx.UnpackLow(r0, r1), Avx.UnpackLow(r2, r3), Avx.UnpackLow(r4, r5), Avx.UnpackLow(r6, r7), d, destinationStride);
        FourColumns(Avx.UnpackHigh(r0, r1), Avx.UnpackHigh(r2, r3), Avx.UnpackHigh(r4, r5), Avx.UnpackHigh(r6, r7),
            d + 2 * destinationStride, destinationStride);
    }

    // The arguments are pairs of rows, [a0 b0 a1 b1 | a4 b4 a5 b5]; columns 0, 1, 4 and 5 come of them.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void FourColumns(Vector256<float> ab, Vector256<float> cd, Vector256<float> ef, Vector256<float> gh, float* d, nint stride)
    {
        Vector256<float> abcd0 = Avx.UnpackLow(ab.AsDouble(), cd.AsDouble()).AsSingle(),
            abcd1 = Avx.UnpackHigh(ab.AsDouble(), cd.AsDouble()).AsSingle();
        Vector256<float> efgh0 = Avx.UnpackLow(ef.AsDouble(), gh.AsDouble()).AsSingle(),
            efgh1 = Avx.UnpackHigh(ef.AsDouble(), gh.AsDouble()).AsSingle();
        Avx.Permute2x128(abcd0, efgh0, 0x20).Store(d);
        Avx.Permute2x128(abcd1, efgh1, 0x20).Store(d + stride);
        Avx.Permute2x128(abcd0, efgh0, 0x31).Store(d + 4 * stride);
        Avx.Permute2x128(abcd1, efgh1, 0x31).Store(d + 5 * stride);
    }
}
