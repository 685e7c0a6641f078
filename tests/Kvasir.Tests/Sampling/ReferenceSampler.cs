using Kvasir.Inference.Sampling;

namespace Kvasir.Tests.Sampling;

/// <summary>
/// The definition of sampling without any care for speed: all logits are sorted, and every filter runs over all that is left.
/// </summary>
sealed class ReferenceSampler(SamplingOptions options)
{
    SplitMix64 _random = new(options.Seed ?? 0);

    public int Next(float[] logits)
    {
        int k = options.Temperature == 0 ? 1 : options.TopK == 0 ? logits.Length : options.TopK;
        int[] tokens = [.. Enumerable.Range(0, logits.Length).OrderByDescending(token => logits[token]).ThenBy(token => token).Take(k)];
        if (options.Temperature == 0)
            return tokens[0];
        double[] probabilities = Softmax([.. tokens.Select(token => (double)logits[token])], 1);
        double sum = 0;
        int kept = 0;
        while (kept < tokens.Length && sum < options.TopP)
            sum += probabilities[kept++];
        kept = Math.Min(kept, Array.FindLastIndex(probabilities, probability => probability >= probabilities[0] * options.MinP) + 1);
        double[] chances = Softmax([.. probabilities.Take(Math.Max(1, kept)).Select(probability => Math.Log(probability))],
            options.Temperature);
        double point = _random.NextDouble();
        for (int i = 0; i < chances.Length; i++)
            if ((point -= chances[i]) < 0)
                return tokens[i];
        return tokens[chances.Length - 1];
    }

    static double[] Softmax(double[] logits, double temperature)
    {
        double[] weights = [.. logits.Select(logit => Math.Exp((logit - logits[0]) / temperature))];
        double sum = weights.Aggregate(0.0, (total, weight) => total + weight);
        return [.. weights.Select(weight => weight / sum)];
    }
}
