using Kvasir.Inference.Sampling;

namespace Kvasir.Tests.Sampling;

/// <summary>
/// The definition of sampling without any care for speed: all logits are sorted, and every filter runs over all that is left.
/// </summary>
sealed class ReferenceSampler(SamplingOptions options)
{
    SplitMix64 _random = new(options.Seed ?? 0);
    double _mostSurprise = 2 * (options.Mirostat?.Tau ?? 0);

    public int Next(float[] logits)
    {
        int k = options.Temperature == 0 ? 1 : options.TopK == 0 ? logits.Length : options.TopK;
        int[] tokens = [.. Enumerable.Range(0, logits.Length).OrderByDescending(token => logits[token]).ThenBy(token => token).Take(k)];
        if (options.Temperature == 0)
            return tokens[0];
        if (options.Mirostat is { } mirostat)
            return BySurprise(logits, mirostat);
        if (options.TopNSigma > 0)
        {
            double least = logits.Max() - options.TopNSigma * Deviation(logits);
            tokens = [.. tokens.Where(token => logits[token] >= least)];
        }
        double[] probabilities = Softmax([.. tokens.Select(token => (double)logits[token])], 1);
        if (options.TypicalP < 1)
            (tokens, probabilities) = Typical(tokens, probabilities);
        double sum = 0;
        int kept = 0;
        while (kept < tokens.Length && sum < options.TopP)
            sum += probabilities[kept++];
        kept = Math.Min(kept, Array.FindLastIndex(probabilities, probability => probability >= probabilities[0] * options.MinP) + 1);
        kept = Math.Max(1, kept);
        int dropped = 0;
        if (options.Xtc is { } xtc && _random.NextDouble() < xtc.Probability)
        {
            double all = probabilities.Take(kept).Aggregate(0.0, (total, one) => total + one);
            dropped = Math.Max(0, probabilities.Take(kept).Count(probability => probability >= xtc.Threshold * all) - 1);
        }
        return Draw(tokens[dropped..kept], probabilities[dropped..kept], options.Temperature).Token;
    }

    static double Deviation(float[] logits)
    {
        double mean = logits.Average(logit => (double)logit);
        return Math.Sqrt(logits.Average(logit => Math.Pow(logit - mean, 2)));
    }

    (int[], double[]) Typical(int[] tokens, double[] probabilities)
    {
        double entropy = probabilities.Select(p => -p * Math.Log(p)).Aggregate(0.0, (total, one) => total + one), sum = 0;
        int[] nearest = [.. Enumerable.Range(0, tokens.Length).OrderBy(i => Math.Abs(-Math.Log(probabilities[i]) - entropy))
            .TakeWhile(i => sum <= options.TypicalP && (sum += probabilities[i]) > 0).Order()];
        return ([.. nearest.Select(i => tokens[i])], [.. nearest.Select(i => probabilities[i] / sum)]);
    }

    int BySurprise(float[] logits, MirostatOptions mirostat)
    {
        float[] scaled = [.. logits.Select(logit => logit / options.Temperature)];
        int[] tokens = [.. Enumerable.Range(0, logits.Length).OrderByDescending(token => scaled[token]).ThenBy(token => token)];
        double[] probabilities = Softmax([.. tokens.Select(token => (double)scaled[token])], 1);
        int kept = Math.Max(1, probabilities.TakeWhile(probability => -Math.Log2(probability) <= _mostSurprise).Count());
        (int chosen, double chance) = Draw(tokens[..kept], probabilities[..kept], 1);
        _mostSurprise -= mirostat.Eta * (-Math.Log2(chance) - mirostat.Tau);
        return chosen;
    }

    (int Token, double Chance) Draw(int[] tokens, double[] probabilities, double temperature)
    {
        double[] chances = Softmax([.. probabilities.Select(probability => Math.Log(probability))], temperature);
        double point = _random.NextDouble();
        for (int i = 0; i < chances.Length; i++)
            if ((point -= chances[i]) < 0)
                return (tokens[i], chances[i]);
        return (tokens[chances.Length - 1], chances[^1]);
    }

    static double[] Softmax(double[] logits, double temperature)
    {
        double[] weights = [.. logits.Select(logit => Math.Exp((logit - logits[0]) / temperature))];
        double sum = weights.Aggregate(0.0, (total, weight) => total + weight);
        return [.. weights.Select(weight => weight / sum)];
    }
}
