namespace Kvasir.Inference.Sampling;

/// <summary>Chooses tokens for one sequence. Equal options, seed and logits give equal choices.</summary>
sealed class Sampler
{
    readonly SamplingOptions _options;
    readonly TopLogits _best = new();
    readonly List<(int Token, double Probability)> _candidates = []; // most likely first
    readonly CompletionPenalty _penalty;
    readonly KeyValuePair<int, float>[] _biases;
    SplitMix64 _random;

    public Sampler(SamplingOptions options)
    {
        options.Validate();
        _options = options;
        _penalty = new CompletionPenalty(options.FrequencyPenalty, options.PresencePenalty);
        _biases = options.LogitBias is { } biases ? [.. biases] : [];
        Seed = options.Seed ?? (ulong)Random.Shared.NextInt64();
        _random = new SplitMix64(Seed);
    }

    /// <summary>The seed in use, drawn if none was given.</summary>
    public ulong Seed { get; }

    /// <summary>The next token.</summary>
    /// <param name="logits">[vocabulary]; changed by penalties and biases.</param>
    /// <param name="history">The sequence so far.</param>
    /// <param name="prompt">How many tokens of it are the prompt, for which only the repetition penalty counts.</param>
    public int Next(Span<float> logits, ReadOnlySpan<int> history, int prompt = 0)
    {
        Penalise(logits, history[^Math.Min(history.Length, _options.RepeatWindow)..]);
        _penalty.Apply(logits, history[Math.Min(prompt, history.Length)..]);
        foreach ((int token, float bias) in _biases)
            if (token < logits.Length)
                logits[token] += bias;
        if (_options.Temperature == 0)
            return TopLogits.Largest(logits);
        TakeMostLikely(logits);
        if (_candidates.Count == 0)
            return TopLogits.Largest(logits); // no logit is a number, or one is infinite
        KeepTopP();
        KeepMinP();
        return Draw();
    }

    void Penalise(Span<float> logits, ReadOnlySpan<int> recent)
    {
        if (_options.RepeatPenalty == 1f)
            return;
        for (int i = 0; i < recent.Length; i++)
            if (!recent[..i].Contains(recent[i])) // each token once, however often it stands there
                logits[recent[i]] *= logits[recent[i]] > 0 ? 1 / _options.RepeatPenalty : _options.RepeatPenalty;
    }

    /// <summary>
    /// Fills the candidates with the k largest logits and their softmax, or, of all logits', the part that the later
    /// filters may keep; largest first.
    /// </summary>
    void TakeMostLikely(ReadOnlySpan<float> logits)
    {
        double? total = null;
        if (_options.TopK > 0)
            _best.Take(logits, Math.Min(_options.TopK, logits.Length), float.NegativeInfinity);
        else
        {
            float largest = logits[TopLogits.Largest(logits)];
            total = TopLogits.TotalWeight(logits, largest);
            _best.Take(logits, logits.Length, Bound(largest, total.Value, logits.Length));
        }
        _candidates.Clear();
        for (int i = 0; i < _best.Count; i++)
            _candidates.Add((_best.Token(i), logits[_best.Token(i)]));
        Softmax(1.0, total);
    }

    /// <summary>
    /// A bound below every logit that top-p and min-p keep. Tokens less likely than (1 − p) / n are together less likely than 1 − p, so
    /// that the others reach p without them. The margin is far above the error of the sums.
    /// </summary>
    float Bound(float largest, double total, int tokens)
    {
        double topP = Math.Log((1.0 - _options.TopP) / tokens * total), minP = Math.Log(_options.MinP); // −∞ where all is kept
        return MathF.BitDecrement((float)(largest + Math.Max(topP, minP) - 1e-3));
    }

    void KeepTopP()
    {
        double sum = 0;
        int kept = 0;
        while (kept < _candidates.Count && sum < _options.TopP)
            sum += _candidates[kept++].Probability;
        Keep(kept);
    }

    void KeepMinP()
    {
        double least = _candidates[0].Probability * _options.MinP;
        int kept = _candidates.Count;
        while (kept > 0 && !(_candidates[kept - 1].Probability >= least))
            kept--;
        Keep(kept);
    }

    void Keep(int count) => _candidates.RemoveRange(Math.Max(1, count), _candidates.Count - Math.Max(1, count));

    int Draw()
    {
        for (int i = 0; i < _candidates.Count; i++)
            _candidates[i] = (_candidates[i].Token, Math.Log(_candidates[i].Probability));
        Softmax(_options.Temperature);
        double point = _random.NextDouble();
        foreach ((int token, double probability) in _candidates)
            if ((point -= probability) < 0)
                return token;
        return _candidates[^1].Token; // rounding left a sliver
    }

    /// <summary>Turns the candidates' logits into probabilities. The first candidate has the largest.</summary>
    /// <param name="temperature">Divides the logits.</param>
    /// <param name="total">Σ e^(logit − largest) of a larger set of which the candidates are a part; null for the candidates alone.</param>
    void Softmax(double temperature, double? total = null)
    {
        double largest = _candidates.Count == 0 ? 0 : _candidates[0].Probability, sum = 0;
        for (int i = 0; i < _candidates.Count; i++)
        {
            double weight = Math.Exp((_candidates[i].Probability - largest) / temperature);
            _candidates[i] = (_candidates[i].Token, weight);
            sum += weight;
        }
        for (int i = 0; i < _candidates.Count; i++)
            _candidates[i] = (_candidates[i].Token, _candidates[i].Probability / (total ?? sum));
    }
}
