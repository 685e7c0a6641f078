namespace Kvasir.Inference.Measurement.Quality;

/// <summary>
/// How much is lost by expecting with one distribution what comes from another: KL(p ‖ q) of two rows of logits, in nats.
/// </summary>
static class KlDivergence
{
    public static double Of(ReadOnlySpan<float> p, ReadOnlySpan<float> q)
    {
        (double totalP, double totalQ) = (LogTotal(p), LogTotal(q));
        double divergence = 0;
        for (int i = 0; i < p.Length; i++)
        {
            double logP = p[i] - totalP;
            divergence += Math.Exp(logP) * (logP - (q[i] - totalQ));
        }
        return Math.Max(0, divergence); // rounding may leave a little less than nothing
    }

    static double LogTotal(ReadOnlySpan<float> logits)
    {
        double most = double.NegativeInfinity, total = 0;
        foreach (float logit in logits)
            most = Math.Max(most, logit);
        foreach (float logit in logits)
            total += Math.Exp(logit - most);
        return most + Math.Log(total);
    }
}
