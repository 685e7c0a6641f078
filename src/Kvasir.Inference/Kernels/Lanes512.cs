using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Kvasir.Inference.Formats.Quantization;

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
        Avx512F.IsSupported ? Avx512F.ConvertToVector512Int32(Vector256.Load(source)) << 16 : Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe()).AsInt32() << 16));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void LoadHalfPairs(ushort* source, out Lanes512 first, out Lanes512 second)
    {
        Vector512<int> pairs = Vector512.Load((int*)source);
        (first, second) = (new(F16.WidenUpper(pairs << 16)), new(F16.WidenUpper(pairs)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadBytes(sbyte* source) => Widened(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadLowNibbles(byte* source) => Widened((Vector128.Load(source) & Vector128.Create((byte)15)).AsSByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadHighNibbles(byte* source) => Widened((Vector128.Load(source) >>> 4).AsSByte());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes512 Widened(Vector128<sbyte> bytes) => new(Vector512.ConvertToSingle(
        Avx512F.IsSupported ? Avx512F.ConvertToVector512Int32(bytes) : Vector512.WidenLower(Vector256.WidenLower(bytes.ToVector256Unsafe()).ToVector512Unsafe())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 lanes, float* destination) => lanes._v.Store(destination);

    public static void Transpose(float* source, nint sourceStride, float* destination, nint destinationStride)
    {
        if (!Avx512F.IsSupported)
            LanesScalar.Transpose(source, sourceStride, destination, destinationStride);
        else
            for (int column = 0; column < ILanes<Lanes512>.Count; column += 4)
                FourColumns(source + column, sourceStride, destination + column * destinationStride, destinationStride);
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
    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) => new(Vector512.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ScaleByPowerOf2(Lanes512 a, Lanes512 n) =>
        new(Avx512F.IsSupported ? Avx512F.Scale(a._v, n._v) : a._v * ((Vector512.ConvertToInt32(n._v) + Vector512.Create(127)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes512 lanes) => Lanes256.Sum(lanes._v.GetLower() + lanes._v.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Lanes512 lanes) => Lanes256.Largest(Vector256.MaxNative(lanes._v.GetLower(), lanes._v.GetUpper()));

    // Row r of the four columns goes to 128-bit part r / 4 of vector r % 4 while it is loaded: what is left is to transpose 4 × 4 in every part.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static void FourColumns(float* source, nint stride, float* d, nint destinationStride)
    {
        Vector512<float> a = EveryFourthRow(source, stride), b = EveryFourthRow(source + stride, stride);
        Vector512<float> c = EveryFourthRow(source + 2 * stride, stride), e = EveryFourthRow(source + 3 * stride, stride);
        Vector512<double> ab0 = Avx512F.UnpackLow(a, b).AsDouble(), ab2 = Avx512F.UnpackHigh(a, b).AsDouble();
        Vector512<double> ce0 = Avx512F.UnpackLow(c, e).AsDouble(), ce2 = Avx512F.UnpackHigh(c, e).AsDouble();
        Avx512F.UnpackLow(ab0, ce0).AsSingle().Store(d);
        Avx512F.UnpackHigh(ab0, ce0).AsSingle().Store(d + destinationStride);
        Avx512F.UnpackLow(ab2, ce2).AsSingle().Store(d + 2 * destinationStride);
        Avx512F.UnpackHigh(ab2, ce2).AsSingle().Store(d + 3 * destinationStride);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector512<float> EveryFourthRow(float* source, nint stride) => Avx512F.InsertVector128(Avx512F.InsertVector128(Avx512F.InsertVector128(
        Vector128.Load(source).ToVector256Unsafe().ToVector512Unsafe(), Vector128.Load(source + 4 * stride), 1), Vector128.Load(source + 8 * stride), 2), Vector128.Load(source + 12 * stride), 3);
}
