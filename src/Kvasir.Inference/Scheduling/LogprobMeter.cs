using Kvasir.Inference.Sampling;

namespace Kvasir.Inference.Scheduling;

/// <summary>Reads the logits of one step before anything changes them, and tells then how likely the chosen token was.</summary>
sealed class LogprobMeter(int top)
{
    const double Least = -9999; // as OpenAI's API has it for what is next to impossible: JSON has no −∞

    readonly TopLogits _best = new();
    float[] _logits = [];
    double _logTotal;

    public void Read(ReadOnlySpan<float> logits)
    {
        if (_logits.Length != logits.Length)
            _logits = new float[logits.Length];
        logits.CopyTo(_logits);
        float largest = logits[TopLogits.Largest(logits)];
        _logTotal = largest + Math.Log(TopLogits.TotalWeight(logits, largest));
    }

    public TokenLogprobs Of(int token)
    {
        if (top > 0)
            _best.Take(_logits, Math.Min(top, _logits.Length), float.NegativeInfinity);
        return new TokenLogprobs(token, Logprob(token),
            [.. Enumerable.Range(0, top > 0 ? _best.Count : 0).Select(i => (_best.Token(i), Logprob(_best.Token(i))))]);
    }

    /// <summary>A token's place among all, from 1: the likelier first, of equals the first.</summary>
    public int Rank(int token)
    {
        int rank = 1;
        for (int other = 0; other < _logits.Length; other++)
            if (_logits[other] > _logits[token] || (_logits[other] == _logits[token] && other < token))
                rank++;
        return rank;
    }

    float Logprob(int token) => (float)Math.Max(Least, _logits[token] - _logTotal);
}
