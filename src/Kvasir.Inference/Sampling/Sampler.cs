namespace Kvasir.Inference.Sampling;

/// <summary>Chooses tokens for one sequence. Equal options, seed and logits give equal choices.</summary>
sealed class Sampler
{
    readonly SamplingOptions _options;
    readonly TopLogits _best = new();
    readonly TokenCandidates _candidates = new();
    readonly HashSet<int> _penalised = [];
    readonly CompletionPenalty _penalty;
    readonly DryPenalty? _dry;
    readonly KeyValuePair<int, float>[] _biases;
    SplitMix64 _random;
    double _mostSurprise; // of Mirostat, in bits
    bool _drew; // the last token, from the candidates

    /// <param name="options">How tokens are chosen.</param>
    /// <param name="bytes">The text of a token, in which DRY looks for its breakers; null where tokens have none.</param>
    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public Sampler(SamplingOptions options, TokenText? bytes = null)
    {
        options.Validate();
        _options = options;
        _penalty = new CompletionPenalty(options.FrequencyPenalty, options.PresencePenalty);
        _dry = options.Dry is { Multiplier: > 0, Window: not 0 } dry ? new DryPenalty(dry, bytes ?? (_ => [])) : null;
        _biases = options.LogitBias is { } biases ? [.. biases] : [];
        _mostSurprise = 2 * (options.Mirostat?.Tau ?? 0);
        Seed = options.Seed ?? (ulong)Random.Shared.NextInt64();
        _random = new SplitMix64(Seed);
    }

    /// <summary>The seed in use, drawn if none was given.</summary>
    public ulong Seed { get; }

    /// <summary>The next token.</summary>
    /// <param name="logits">[vocabulary]; changed by penalties, biases and filters.</param>
    /// <param name="history">The sequence so far.</param>
    /// <param name="prompt">How many tokens of it are the prompt, for which only the repetition penalty and DRY count.</param>
    public int Next(Span<float> logits, ReadOnlySpan<int> history, int prompt = 0)
    {
        _drew = false;
        Penalise(logits, history[^Math.Min(history.Length, _options.RepeatWindow)..]);
        _penalty.Apply(logits, history[Math.Min(prompt, history.Length)..]);
        foreach ((int token, float bias) in _biases)
            if (token < logits.Length)
                logits[token] += bias;
        _dry?.Apply(logits, history);
        if (_options.Temperature == 0)
            return TopLogits.Largest(logits);
        if (_options.Mirostat is { } mirostat)
            return DrawBySurprise(logits, mirostat);
        if (_options.TopNSigma > 0)
            KeepTopSigmas(logits, _options.TopNSigma);
        TakeMostLikely(logits);
        if (_candidates.Count == 0)
            return TopLogits.Largest(logits); // no logit is a number, or one is infinite
        Filter();
        _drew = true;
        return _candidates.Draw(_options.Temperature, _random.NextDouble(), out _);
    }

    /// <summary>How likely the last token was when it was drawn: the natural logarithm; 0 of one that was simply the likeliest.</summary>
    public float LogChance(int token)
    {
        for (int i = 0; _drew && i < _candidates.Count; i++)
            if (_candidates.Token(i) == token)
                return (float)Math.Log(_candidates.Probability(i));
        return 0;
    }

    /// <summary>The same of the likeliest tokens from which it was drawn, at most so many.</summary>
    public IReadOnlyList<(int Token, float Logprob)> LogChances(int token, int most) => !_drew ? [(token, 0)]
        : [.. Enumerable.Range(0, Math.Min(most, _candidates.Count)).Where(i => _candidates.Probability(i) > 0)
            .Select(i => (_candidates.Token(i), (float)Math.Log(_candidates.Probability(i))))];

    void Penalise(Span<float> logits, ReadOnlySpan<int> recent)
    {
        if (_options.RepeatPenalty == 1f)
            return;
        _penalised.Clear();
        foreach (int token in recent)
            if (_penalised.Add(token)) // each token once, however often it stands there
                logits[token] *= logits[token] > 0 ? 1 / _options.RepeatPenalty : _options.RepeatPenalty;
    }

    void Filter()
    {
        if (_options.TypicalP < 1)
            _candidates.KeepTypical(_options.TypicalP);
        _candidates.KeepTopP(_options.TopP);
        _candidates.KeepMinP(_options.MinP);
        if (_options.Xtc is { Probability: > 0 } xtc && _random.NextDouble() < xtc.Probability)
            _candidates.DropTop(xtc.Threshold);
    }

    /// <summary>
    /// Sets what lies more than n standard deviations below the largest to −∞; what is −∞ already does not count. Tang et al.,
    /// "Top-nσ: Not All Logits Are You Need", 2024, https://arxiv.org/abs/2411.07641.
    /// </summary>
    static void KeepTopSigmas(Span<float> logits, double n)
    {
        double sum = 0, squares = 0;
        int count = 0;
        foreach (float logit in logits)
            if (float.IsFinite(logit))
                (sum, count) = (sum + logit, count + 1);
        double mean = sum / count;
        foreach (float logit in logits)
            if (float.IsFinite(logit))
                squares += (logit - mean) * (logit - mean);
        double least = logits[TopLogits.Largest(logits)] - n * Math.Sqrt(squares / count);
        foreach (ref float logit in logits)
            if (logit < least)
                logit = float.NegativeInfinity;
    }

    /// <summary>
    /// Mirostat 2: draws from what is no more surprising than a bound, which follows the surprise of what was drawn. Basu et al.,
    /// "Mirostat", 2020, https://arxiv.org/abs/2007.14966.
    /// </summary>
    int DrawBySurprise(Span<float> logits, MirostatOptions options)
    {
        foreach (ref float logit in logits)
            logit /= _options.Temperature;
        float largest = logits[TopLogits.Largest(logits)];
        double total = TopLogits.TotalWeight(logits, largest), bound = largest + Math.Log(total) - _mostSurprise * Math.Log(2);
        _best.Take(logits, logits.Length, MathF.BitDecrement((float)Math.Min(bound, largest)));
        if (_best.Count == 0)
            return TopLogits.Largest(logits); // no logit is a number, or one is infinite
        _candidates.Take(_best, logits, total);
        int kept = 0;
        while (kept < _candidates.Count && -Math.Log2(_candidates.Probability(kept)) <= _mostSurprise)
            kept++;
        _candidates.KeepFirst(kept);
        _drew = true;
        int token = _candidates.Draw(1, _random.NextDouble(), out double probability);
        _mostSurprise -= options.Eta * (-Math.Log2(probability) - options.Tau);
        return token;
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
        else if (_options.TypicalP < 1)
            _best.Take(logits, logits.Length, float.NegativeInfinity); // it may keep the least likely, and drop the likeliest
        else
        {
            float largest = logits[TopLogits.Largest(logits)];
            total = TopLogits.TotalWeight(logits, largest);
            _best.Take(logits, logits.Length, Bound(largest, total.Value, logits.Length));
        }
        _candidates.Take(_best, logits, total);
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
}
