using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Kvasir.KvCache.Codecs;

/// <summary>
/// Stores a value as the nearest of a few centroids and one scale for 32: <c>x = ±d·c[m]</c>. The centroids are those of Lloyd and Max for
/// the normal distribution, which is about what a rotation makes of any row (<see cref="RotatedCodec"/>); <c>d</c> makes the squared error
/// of a group least.
/// </summary>
public abstract class CentroidCodec : ScaledGroupCodec
{
    const int Eight = 8;

    readonly float[] _magnitudes; // ascending
    readonly float[] _borders; // where each begins
    readonly float[] _table; // of every code: magnitudes, then the same below zero

    /// <param name="name">What the codec is called.</param>
    /// <param name="groupBytes">Bytes of a group.</param>
    /// <param name="magnitudes">The centroids above zero: one, two or four.</param>
    private protected CentroidCodec(string name, int groupBytes, params float[] magnitudes) : base(name, groupBytes)
    {
        _magnitudes = magnitudes;
        _borders = [.. magnitudes.Select((magnitude, i) => i == 0 ? 0 : (magnitudes[i - 1] + magnitude) / 2)];
        _table = new float[Eight];
        for (int code = 0; code < 2 * magnitudes.Length; code++)
            _table[code] = code < magnitudes.Length ? magnitudes[code] : -magnitudes[code - magnitudes.Length];
    }

    /// <summary>What a code stands for, before the scale; its highest bit is the sign.</summary>
    public ReadOnlySpan<float> Centroids => _table.AsSpan(0, 2 * _magnitudes.Length);

    private protected override void EncodeGroup(ref readonly float values, Span<byte> group)
    {
        Span<byte> codes = stackalloc byte[ScaledGroup.Elements];
        float start = BestStart(in values);
        float scale = float.IsFinite(start) ? Fit(in values, start).Scale : start;
        if (!ScaledGroup.TryWriteScale(scale, group))
            codes.Clear();
        else
            Vector256.Narrow(Vector256.Narrow(Codes(in values, 0, start), Codes(in values, 8, start)),
                Vector256.Narrow(Codes(in values, 16, start), Codes(in values, 24, start))).CopyTo(codes);
        Pack(codes, group[ScaledGroup.ScaleBytes..]);
    }

    private protected override void DecodeGroup(ReadOnlySpan<byte> group, ref float values)
    {
        Vector256<float> table = Vector256.Create(_table), scale = ScaledGroup.ReadScale(group);
        for (int part = 0; part < ScaledGroup.Elements / Eight; part++)
        {
            Vector128<byte> codes = Vector128.CreateScalar(Unpack(group[ScaledGroup.ScaleBytes..], part)).AsByte();
            Vector256<int> indices = Vector256.WidenLower(Vector128.WidenLower(codes).ToVector256Unsafe()).AsInt32();
            (Vector256.Shuffle(table, indices) * scale).StoreUnsafe(ref values, (nuint)(part * Eight));
        }
    }

    /// <summary>Stores 32 codes.</summary>
    private protected abstract void Pack(ReadOnlySpan<byte> codes, Span<byte> packed);

    /// <summary>Reads eight codes, the first in the lowest byte.</summary>
    private protected abstract ulong Unpack(ReadOnlySpan<byte> packed, int part);

    /// <summary>
    /// The unit by which values are coded best. Tried are their root mean square, and what makes the greatest a centroid: a group that was
    /// read back has such a one, whatever its mean, so that it is stored in the same bytes again. Not finite where no scale can be.
    /// </summary>
    float BestStart(ref readonly float values)
    {
        float extreme = MathF.Abs(ScaledGroup.Extreme(in values));
        if (!float.IsFinite(extreme))
            return extreme;
        (float best, float least) = (float.PositiveInfinity, float.PositiveInfinity);
        Try(RootMeanSquare(in values), in values, ref best, ref least);
        foreach (float centroid in _magnitudes)
            Try(extreme / centroid, in values, ref best, ref least);
        return best;
    }

    void Try(float start, ref readonly float values, ref float best, ref float least)
    {
        float error = Fit(in values, start).Error;
        if (error < least)
            (best, least) = (start, error);
    }

    /// <summary>The scale, as it can be stored, of values that are coded by a unit, and the squared error that remains.</summary>
    (float Scale, float Error) Fit(ref readonly float values, float start)
    {
        Span<Vector256<float>> nearest = stackalloc Vector256<float>[ScaledGroup.Elements / Eight];
        Vector256<float> product = Vector256<float>.Zero, square = product, error = product;
        for (int i = 0; i < nearest.Length; i++)
        {
            Vector256<float> value = Magnitudes(in values, i * Eight);
            nearest[i] = Nearest(value, start);
            product += value * nearest[i];
            square += nearest[i] * nearest[i];
        }
        float scale = (float)(Half)(Sum(product) / Sum(square));
        for (int i = 0; i < nearest.Length; i++)
        {
            Vector256<float> off = Magnitudes(in values, i * Eight) - nearest[i] * Vector256.Create(scale);
            error += off * off;
        }
        return (scale, Sum(error));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    Vector256<float> Nearest(Vector256<float> magnitude, float unit)
    {
        float[] magnitudes = _magnitudes, borders = _borders;
        Vector256<float> centroid = Vector256.Create(magnitudes[0]);
        for (int i = 1; i < magnitudes.Length && i < borders.Length; i++)
            centroid = Vector256.ConditionalSelect(Vector256.GreaterThan(magnitude, Vector256.Create(borders[i] * unit)),
                Vector256.Create(magnitudes[i]), centroid);
        return centroid;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    Vector256<uint> Codes(ref readonly float values, int at, float unit)
    {
        Vector256<uint> isNegative = Vector256.LoadUnsafe(in values, (nuint)at).AsUInt32() >>> 31;
        Vector256<uint> code = isNegative * (uint)_magnitudes.Length;
        for (int i = 1; i < _borders.Length; i++) // a mask is -1
            code -= Vector256.GreaterThan(Magnitudes(in values, at), Vector256.Create(_borders[i] * unit)).AsUInt32();
        return code;
    }

    static float RootMeanSquare(ref readonly float values)
    {
        Vector256<float> sum = Vector256<float>.Zero;
        for (int i = 0; i < ScaledGroup.Elements; i += Eight)
            sum += Magnitudes(in values, i) * Magnitudes(in values, i);
        return MathF.Sqrt(Sum(sum) / ScaledGroup.Elements);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static Vector256<float> Magnitudes(ref readonly float values, int at) => Vector256.Abs(Vector256.LoadUnsafe(in values, (nuint)at));

    /// <summary>Halves onto halves, in an order that every machine keeps.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static float Sum(Vector256<float> eight)
    {
        Vector128<float> four = eight.GetLower() + eight.GetUpper();
        Vector128<float> two = four + Vector128.Shuffle(four, Vector128.Create(2, 3, 0, 1));
        return two.ToScalar() + two.GetElement(1);
    }
}
