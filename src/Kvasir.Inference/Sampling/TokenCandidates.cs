using System.Runtime.InteropServices;

namespace Kvasir.Inference.Sampling;

/// <summary>
/// Tokens that may come next with their probabilities, the likeliest first, and the filters that take some of them away. Memory is kept
/// from token to token.
/// </summary>
sealed class TokenCandidates
{
    readonly List<(int Token, double Probability)> _all = [];
    readonly List<(double Distance, int Index)> _byDistance = [];
    readonly HashSet<int> _typical = [];

    public int Count => _all.Count;

    public int Token(int i) => _all[i].Token;

    public double Probability(int i) => _all[i].Probability;

    /// <summary>Takes tokens and the softmax of their logits.</summary>
    /// <param name="best">The tokens, the likeliest first.</param>
    /// <param name="logits">[vocabulary]</param>
    /// <param name="total">Σ e^(logit − largest) of a larger set of which these are a part; null for these alone.</param>
    public void Take(TopLogits best, ReadOnlySpan<float> logits, double? total)
    {
        _all.Clear();
        for (int i = 0; i < best.Count; i++)
            _all.Add((best.Token(i), logits[best.Token(i)]));
        Softmax(1.0, total);
    }

    /// <summary>Keeps the first of them whose probabilities reach a sum.</summary>
    public void KeepTopP(double p)
    {
        double sum = 0;
        int kept = 0;
        while (kept < _all.Count && sum < p)
            sum += _all[kept++].Probability;
        KeepFirst(kept);
    }

    /// <summary>Drops what is less likely than a share of the likeliest.</summary>
    public void KeepMinP(double share)
    {
        double least = _all[0].Probability * share;
        int kept = _all.Count;
        while (kept > 0 && !(_all[kept - 1].Probability >= least))
            kept--;
        KeepFirst(kept);
    }

    /// <summary>
    /// Keeps those whose surprise −ln p is nearest to the one expected, H = −Σ p ln p, until their probabilities exceed a sum, and makes
    /// these one again. Meister, Pimentel, Wiher and Cotterell, "Locally Typical Sampling", 2022, https://arxiv.org/abs/2202.00666.
    /// </summary>
    public void KeepTypical(double p)
    {
        double entropy = 0, sum = 0;
        foreach ((_, double probability) in _all)
            entropy -= probability > 0 ? probability * Math.Log(probability) : 0;
        _byDistance.Clear();
        _typical.Clear();
        for (int i = 0; i < _all.Count; i++)
            _byDistance.Add((Math.Abs(-Math.Log(_all[i].Probability) - entropy), i));
        _byDistance.Sort();
        for (int i = 0; i < _byDistance.Count && !(sum > p); i++)
        {
            _typical.Add(_byDistance[i].Index);
            sum += _all[_byDistance[i].Index].Probability;
        }
        int kept = 0;
        for (int i = 0; i < _all.Count; i++)
            if (_typical.Contains(i))
                _all[kept++] = (_all[i].Token, _all[i].Probability / sum);
        KeepFirst(kept);
    }

    /// <summary>
    /// Drops all that reach a threshold but the least likely of these: https://github.com/oobabooga/text-generation-webui/pull/6335.
    /// </summary>
    public void DropTop(double threshold)
    {
        double sum = 0;
        foreach ((_, double probability) in _all)
            sum += probability;
        int above = 0;
        while (above < _all.Count && _all[above].Probability >= threshold * sum)
            above++;
        if (above > 1)
            _all.RemoveRange(0, above - 1);
    }

    public void KeepFirst(int count) => _all.RemoveRange(Math.Max(1, count), _all.Count - Math.Max(1, count));

    /// <summary>Raises the odds to 1 / temperature and draws one.</summary>
    /// <param name="temperature">Above 0.</param>
    /// <param name="point">Uniform in [0, 1).</param>
    /// <param name="probability">How likely it was among the candidates.</param>
    public int Draw(double temperature, double point, out double probability)
    {
        foreach (ref (int Token, double Probability) candidate in CollectionsMarshal.AsSpan(_all))
            candidate.Probability = Math.Log(candidate.Probability);
        Softmax(temperature);
        foreach ((int token, double chance) in _all)
            if ((point -= chance) < 0)
            {
                probability = chance;
                return token;
            }
        probability = _all[^1].Probability;
        return _all[^1].Token; // rounding left a sliver
    }

    /// <summary>Turns logits into probabilities. The first candidate has the largest.</summary>
    void Softmax(double temperature, double? total = null)
    {
        double largest = _all.Count == 0 ? 0 : _all[0].Probability, sum = 0;
        foreach (ref (int Token, double Probability) candidate in CollectionsMarshal.AsSpan(_all))
        {
            candidate.Probability = Math.Exp((candidate.Probability - largest) / temperature);
            sum += candidate.Probability;
        }
        foreach (ref (int Token, double Probability) candidate in CollectionsMarshal.AsSpan(_all))
            candidate.Probability /= total ?? sum;
    }
}
