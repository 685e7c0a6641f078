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
    public static Lanes512 LoadHalf(ushort* source) => new(F16.Widen(Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadBrainHalf(ushort* source) => new(BF16.Widen(Vector512.WidenLower(Vector256.Load(source).ToVector512Unsafe())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 LoadBytes(sbyte* source) => Widened(Vector128.Load(source));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Lanes512 Widened(Vector128<sbyte> bytes) => new(Vector512.ConvertToSingle(
        Avx512F.IsSupported ? Avx512F.ConvertToVector512Int32(bytes) : Vector512.WidenLower(Vector256.WidenLower(bytes.ToVector256Unsafe()).ToVector512Unsafe())));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Lanes512 lanes, float* destination) => lanes._v.Store(destination);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void StoreBytes(Lanes512 lanes, sbyte* destination)
    {
        Vector512<int> integers = Vector512.ConvertToInt32(lanes._v);
        if (Avx512F.IsSupported)
            Avx512F.ConvertToVector128SByte(integers).Store(destination);
        else
            Vector128.Narrow(Vector256.Narrow(integers.GetLower(), integers.GetUpper()).GetLower(), Vector256.Narrow(integers.GetLower(), integers.GetUpper()).GetUpper()).Store(destination);
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
    public static Lanes512 Max(Lanes512 a, Lanes512 b) => new(Vector512.Max(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 Min(Lanes512 a, Lanes512 b) => new(Vector512.Min(a._v, b._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 MultiplyAdd(Lanes512 a, Lanes512 b, Lanes512 c) => new(Vector512.FusedMultiplyAdd(a._v, b._v, c._v));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ScaleByPowerOf2(Lanes512 a, Lanes512 n) =>
        new(a._v * ((Vector512.ConvertToInt32(n._v) + Vector512.Create(127)) << 23).AsSingle());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Sum(Lanes512 lanes) => Lanes256.Sum(lanes._v.GetLower() + lanes._v.GetUpper());

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Largest(Lanes512 lanes) => Lanes256.Largest(Vector256.Max(lanes._v.GetLower(), lanes._v.GetUpper()));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 BroadcastInteger(int value) => new(Vector512.Create(value).AsSingle());

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
                Lanes256.AddDotProducts(sums._v.GetUpper().AsInt32(), even._v.GetUpper().AsUInt32(), odd._v.GetUpper().AsUInt32(), x)).AsSingle());
        Vector512<int> products = Avx512BW.MultiplyAddAdjacent(even._v.AsInt16(), quad << 8 >> 8);
        return new((sums._v.AsInt32() + products + Avx512BW.MultiplyAddAdjacent(odd._v.AsInt16(), quad >> 8)).AsSingle());
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Lanes512 ConvertToSingle(Lanes512 integers) => new(Vector512.ConvertToSingle(integers._v.AsInt32()));
}
