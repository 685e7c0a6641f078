using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Kvasir.Formats.Quantization;

/// <summary>
/// Finds the scale of a group of values for which rounding to whole quants loses least: several ranges are tried, each gives quants, and
/// for those the scale of the least squared error follows. Sums go over sixteen lanes in one order, so that all machines find the same.
/// </summary>
static class LeastSquares
{
    const int Tries = 10;

    /// <summary>Sixteen values x ≈ d·q, q from −32 to 31: the scale d, which may be negative.</summary>
    public static float Scale(ReadOnlySpan<float> values)
    {
        const float Step = 0.25f;
        float extreme = Rounding.Extreme(values), best = 0, least = float.MaxValue;
        Vector512<float> x = Vector512.Create(values);
        for (int i = -Tries; i <= Tries && extreme != 0; i++)
        {
            Vector512<float> q = Quants(x, extreme / (-32 + i * Step));
            float squares = Sum(q * q), scale = squares == 0 ? 0 : Sum(q * x) / squares, error = Error(x, q, scale);
            if (error < least)
                (best, least) = (scale, error);
        }
        return float.IsFinite(best) ? best : 0;
    }

    /// <summary>The nearest quants, from −32 to 31.</summary>
    public static Vector512<float> Quants(Vector512<float> x, float scale) =>
        Rounded(x * Rounding.InverseOrZero(scale), -32, 31);

    /// <summary>What is lost.</summary>
    public static float Error(Vector512<float> x, Vector512<float> q, float scale)
    {
        Vector512<float> lost = x - q * Vector512.Create(scale);
        return Sum(lost * lost);
    }

    /// <summary>32 values x ≈ d·q − m, q from 0 to <paramref name="most"/>: d and m, neither of them negative.</summary>
    public static (float Scale, float Minimum) Line(ReadOnlySpan<float> values, int most)
    {
        const float Step = 0.1f;
        (float low, float high) = Rounding.Range(values);
        low = Math.Min(low, 0);
        (float Scale, float Minimum) best = (0, -low);
        float least = high > low ? float.MaxValue : 0;
        Pair x = new(values);
        for (int i = -Tries; i < Tries / 2 && least > 0; i++)
        {
            Pair q = x.Quants((high - low) / (most + i * Step), -low, most);
            (float Scale, float Minimum) line = Fit(x, q);
            float error = x.Error(q, line.Scale, line.Minimum);
            if (error < least)
                (best, least) = (line, error);
        }
        return float.IsFinite(best.Scale) && float.IsFinite(best.Minimum) ? best : (0, 0);
    }

    /// <summary>The line of the least squared error; through 0 where it would start above.</summary>
    static (float Scale, float Minimum) Fit(Pair x, Pair q)
    {
        float count = 2 * Vector512<float>.Count, sumX = x.Sum(), sumQ = q.Sum(), squares = q.Product(q), products = q.Product(x);
        float determinant = count * squares - sumQ * sumQ;
        float scale = (count * products - sumQ * sumX) / determinant, minimum = (sumQ * products - squares * sumX) / determinant;
        return determinant > 0 && minimum >= 0 && scale >= 0 ? (scale, minimum)
            : (squares == 0 ? 0 : Math.Max(0, products / squares), 0);
    }

    /// <summary>32 values.</summary>
    public readonly struct Pair(Vector512<float> first, Vector512<float> second)
    {
        readonly Vector512<float> _first = first, _second = second;

        public Pair(ReadOnlySpan<float> values)
            : this(Vector512.Create(values), Vector512.Create(values[Vector512<float>.Count..]))
        {
        }

        /// <summary>The nearest quants of d·q − m.</summary>
        public Pair Quants(float scale, float minimum, int most)
        {
            float inverse = Rounding.InverseOrZero(scale);
            Vector512<float> shift = Vector512.Create(minimum);
            return new(Rounded((_first + shift) * inverse, 0, most), Rounded((_second + shift) * inverse, 0, most));
        }

        public float Error(Pair q, float scale, float minimum)
        {
            Vector512<float> d = Vector512.Create(scale), m = Vector512.Create(minimum);
            Vector512<float> first = _first - (q._first * d - m), second = _second - (q._second * d - m);
            return LeastSquares.Sum(first * first + second * second);
        }

        public float Sum() => LeastSquares.Sum(_first + _second);

        public float Product(Pair other) => LeastSquares.Sum(_first * other._first + _second * other._second);

        public void CopyTo(Span<float> values)
        {
            _first.CopyTo(values);
            _second.CopyTo(values[Vector512<float>.Count..]);
        }
    }

    static Vector512<float> Rounded(Vector512<float> values, float least, float most) => Vector512.Min(
        Vector512.Max(Vector512.Floor(values + Vector512.Create(0.5f)), Vector512.Create(least)), Vector512.Create(most));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static float Sum(Vector512<float> values)
    {
        Vector256<float> eight = values.GetLower() + values.GetUpper();
        Vector128<float> four = eight.GetLower() + eight.GetUpper();
        return four[0] + four[1] + (four[2] + four[3]);
    }
}
