using System.Numerics;
using System.Runtime.Intrinsics;

namespace Kvasir.Inference.Sampling;

/// <summary>
/// The largest of many logits, in order: the larger first, of equals the first. A scan compares sixteen at a time with the least that still
/// matters, and few pass. What is no number or −∞ is never taken. Memory is kept from token to token.
/// </summary>
sealed class TopLogits
{
    const int Spare = 256; // taken beyond those wanted before the least of them are dropped: sorting is rare, and of few

    ulong[] _keys = new ulong[2 * Spare];

    /// <summary>How many were taken.</summary>
    public int Count { get; private set; }

    public int Token(int i) => (int)(uint)_keys[i];

    /// <summary>Takes the <paramref name="most"/> largest of the logits that are above a bound.</summary>
    public void Take(ReadOnlySpan<float> logits, int most, float above)
    {
        Count = 0;
        int i = 0;
        for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            ulong passed = Vector512.GreaterThan(Vector512.Create(logits[i..]), Vector512.Create(above)).ExtractMostSignificantBits();
            for (; passed != 0; passed &= passed - 1)
                Add(logits, i + BitOperations.TrailingZeroCount(passed), most, ref above);
        }
        for (; i < logits.Length; i++)
            if (logits[i] > above)
                Add(logits, i, most, ref above);
        Keep(most);
    }

    void Add(ReadOnlySpan<float> logits, int token, int most, ref float above)
    {
        if (Count == (long)most + Math.Max(most, Spare))
        {
            Keep(most);
            above = logits[Token(most - 1)]; // an equal that comes later is not among the largest
        }
        if (Count == _keys.Length)
            Array.Resize(ref _keys, 2 * _keys.Length);
        _keys[Count++] = Key(logits[token], token);
    }

    void Keep(int most)
    {
        _keys.AsSpan(0, Count).Sort();
        Count = Math.Min(Count, most);
    }

    /// <summary>
    /// A number that is less for a larger logit and, of equals, for an earlier token: the bits of floats are in order but for their sign.
    /// </summary>
    static ulong Key(float logit, int token)
    {
        uint bits = BitConverter.SingleToUInt32Bits(logit + 0f); // −0 equals 0
        return (ulong)((bits & 0x8000_0000) != 0 ? bits : ~bits & 0x7fff_ffff) << 32 | (uint)token;
    }

    /// <summary>The first of the largest logits; of those that are all no numbers or −∞, the first.</summary>
    public static int Largest(ReadOnlySpan<float> logits)
    {
        const int span = 1024;
        float best = float.NegativeInfinity;
        int bestStart = 0;
        for (int start = 0; start < logits.Length; start += span)
            if (LargestValue(logits[start..Math.Min(logits.Length, start + span)]) is var value && value > best)
                (best, bestStart) = (value, start);
        for (int token = bestStart; token < logits.Length; token++)
            if (logits[token] == best)
                return token;
        return 0;
    }

    static float LargestValue(ReadOnlySpan<float> logits)
    {
        Vector512<float> a = Vector512.Create(float.NegativeInfinity), b = a;
        int i = 0;
        for (; i <= logits.Length - 2 * Vector512<float>.Count; i += 2 * Vector512<float>.Count)
        {
            a = Larger(Vector512.Create(logits[i..]), a);
            b = Larger(Vector512.Create(logits[(i + Vector512<float>.Count)..]), b);
        }
        a = Larger(b, a);
        float largest = a[0];
        for (int lane = 1; lane < Vector512<float>.Count; lane++)
            largest = a[lane] > largest ? a[lane] : largest;
        for (; i < logits.Length; i++)
            largest = logits[i] > largest ? logits[i] : largest;
        return largest;
    }

    /// <summary>What is no number is not larger than anything.</summary>
    static Vector512<float> Larger(Vector512<float> x, Vector512<float> than) =>
        Vector512.ConditionalSelect(Vector512.GreaterThan(x, than), x, than);

    /// <summary>Σ e^(logit − largest), over those that are numbers.</summary>
    public static double TotalWeight(ReadOnlySpan<float> logits, float largest)
    {
        Vector512<double> shift = Vector512.Create((double)largest), sums = default;
        int i = 0;
        for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            Vector512<float> x = Vector512.Create(logits[i..]);
            (Vector512<double> lower, Vector512<double> upper) =
                Vector512.Widen(Vector512.ConditionalSelect(Vector512.Equals(x, x), x, Vector512.Create(float.NegativeInfinity)));
            sums += Vector512.Exp(lower - shift) + Vector512.Exp(upper - shift);
        }
        double sum = Vector512.Sum(sums);
        for (; i < logits.Length; i++)
            sum += float.IsNaN(logits[i]) ? 0 : Math.Exp((double)logits[i] - largest);
        return sum;
    }
}
