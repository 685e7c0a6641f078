using System.Buffers.Binary;
using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Kvasir.KvCache.Codecs;

/// <summary>
/// 32 values of a row that share a scale in half precision: what all codecs of fewer than sixteen bits have in common. Bytes 0 and 1
/// are the scale, the codes follow.
/// </summary>
static class ScaledGroup
{
    /// <summary>Values of a group.</summary>
    public const int Elements = 32;

    /// <summary>Bytes before the codes.</summary>
    public const int ScaleBytes = 2;

    const ushort NotANumber = 0x7E00;

    /// <summary>Bytes of a row of <paramref name="elements"/> values in groups of <paramref name="groupBytes"/>.</summary>
    /// <exception cref="ArgumentException">The row is not made of whole groups.</exception>
    public static int RowBytes(int elements, int groupBytes, string codec)
    {
        if (elements % Elements != 0)
            throw new ArgumentException(
                $"{codec} stores rows in groups of {Elements} values; a row of {elements} is not made of whole groups");
        return checked(elements / Elements * groupBytes);
    }

    /// <summary>The value of greatest magnitude with its sign, the first of several; a NaN where there is one.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Extreme(ref readonly float group)
    {
        // As integers, magnitudes have the order of floats, infinity is above all of them, and NaNs above that: none gets lost.
        Vector256<int> a = Magnitudes(in group, 0), b = Magnitudes(in group, 8), c = Magnitudes(in group, 16), d = Magnitudes(in group, 24);
        Vector256<int> most = Vector256.Max(Vector256.Max(a, b), Vector256.Max(c, d));
        Vector128<int> half = Vector128.Max(most.GetLower(), most.GetUpper());
        half = Vector128.Max(half, Vector128.Shuffle(half, Vector128.Create(2, 3, 0, 1)));
        most = Vector256.Create(Vector128.Max(half, Vector128.Shuffle(half, Vector128.Create(1, 0, 3, 2))).ToScalar());
        uint places = Places(a, most) | Places(b, most) << 8 | Places(c, most) << 16 | Places(d, most) << 24;
        return Unsafe.Add(ref Unsafe.AsRef(in group), BitOperations.TrailingZeroCount(places));
    }

    /// <summary>
    /// Writes a scale. False when no codes can go with it: it is too small for a half, and 0 is written; or it is too great or not a
    /// number, and NaN is written, so that the group reads back as NaN and not as something plausible.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool TryWriteScale(float scale, Span<byte> group)
    {
        var half = (Half)scale;
        bool usable = Half.IsFinite(half) && half != Half.Zero;
        BinaryPrimitives.WriteUInt16LittleEndian(group,
            usable ? BitConverter.HalfToUInt16Bits(half) : half == Half.Zero ? (ushort)0 : NotANumber);
        return usable;
    }

    /// <summary>The scale of a group.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> ReadScale(ReadOnlySpan<byte> group) =>
        Vector256.Create((float)BinaryPrimitives.ReadHalfLittleEndian(group));

    /// <summary>Eight values of a group times a number.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<float> Scaled(ref readonly float group, int at, float factor) =>
        Vector256.LoadUnsafe(in group, (nuint)at) * Vector256.Create(factor);

    /// <summary>Stores sixteen small integers times a scale.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(Vector128<sbyte> codes, Vector256<float> scale, ref float values)
    {
        (Vector128<short> lower, Vector128<short> upper) = Vector128.Widen(codes);
        (Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(lower), Vector128.WidenUpper(lower))) * scale)
            .StoreUnsafe(ref values);
        (Vector256.ConvertToSingle(Vector256.Create(Vector128.WidenLower(upper), Vector128.WidenUpper(upper))) * scale)
            .StoreUnsafe(ref values, 8);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<int> Magnitudes(ref readonly float group, int at) =>
        Vector256.LoadUnsafe(in group, (nuint)at).AsInt32() & Vector256.Create(int.MaxValue);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint Places(Vector256<int> magnitudes, Vector256<int> most) => Vector256.Equals(magnitudes, most).ExtractMostSignificantBits();
}
