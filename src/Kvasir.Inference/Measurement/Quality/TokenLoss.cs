using System.Numerics;
using System.Runtime.Intrinsics;

namespace Kvasir.Inference.Measurement.Quality;

/// <summary>What a token costs a model that gave these logits: −ln softmax(logits)[token], in nats and double precision.</summary>
static class TokenLoss
{
    public static double Of(ReadOnlySpan<float> logits, int token)
    {
        float largest = Largest(logits); // taken from all, so that no exponential overflows
        Vector512<double> shift = Vector512.Create((double)largest), sums = default;
        int i = 0;
        for (; i <= logits.Length - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            (Vector512<double> lower, Vector512<double> upper) = Vector512.Widen(Vector512.Create(logits[i..]));
            sums += Vector512.Exp(lower - shift) + Vector512.Exp(upper - shift);
        }
        double sum = Vector512.Sum(sums);
        for (; i < logits.Length; i++)
            sum += Math.Exp((double)logits[i] - largest);
        return Math.Log(sum) + largest - logits[token];
    }

    static float Largest(ReadOnlySpan<float> logits)
    {
        Vector<float> largest = new(float.NegativeInfinity);
        int i = 0;
        for (; i <= logits.Length - Vector<float>.Count; i += Vector<float>.Count)
            largest = Vector.Max(largest, new Vector<float>(logits[i..]));
        float most = float.NegativeInfinity;
        for (int lane = 0; lane < Vector<float>.Count; lane++)
            most = Math.Max(most, largest[lane]);
        for (; i < logits.Length; i++)
            most = Math.Max(most, logits[i]);
        return most;
    }
}
