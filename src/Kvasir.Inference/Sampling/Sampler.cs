namespace Kvasir.Inference.Sampling;

/// <summary>Chooses tokens for one sequence. Equal options, seed and logits give equal choices.</summary>
sealed class Sampler
{
    readonly SamplingOptions _options;
    readonly PriorityQueue<int, (float Logit, int Earliness)> _best = new(); // least likely first; of equals the later token
    readonly List<(int Token, double Probability)> _candidates = []; // most likely first
    SplitMix64 _random;

    public Sampler(SamplingOptions options)
    {
        options.Validate();
        _options = options;
        Seed = options.Seed ?? (ulong)Random.Shared.NextInt64();
        _random = new SplitMix64(Seed);
    }

    /// <summary>The seed in use, drawn if none was given.</summary>
    public ulong Seed { get; }

    /// <summary>The next token.</summary>
    /// <param name="logits">[vocabulary]; changed by the repetition penalty.</param>
    /// <param name="history">The sequence so far.</param>
    public int Next(Span<float> logits, ReadOnlySpan<int> history)
    {
        Penalise(logits, history[^Math.Min(history.Length, _options.RepeatWindow)..]);
        if (_options.Temperature == 0)
            return Largest(logits);
        TakeMostLikely(logits);
        KeepTopP();
        KeepMinP();
        return Draw();
    }

    /// <summary>The first of the largest logits.</summary>
    static int Largest(ReadOnlySpan<float> logits)
    {
        int best = 0;
        for (int i = 1; i < logits.Length; i++)
            if (logits[i] > logits[best])
                best = i;
        return best;
    }

    void Penalise(Span<float> logits, ReadOnlySpan<int> recent)
    {
        if (_options.RepeatPenalty == 1f)
            return;
        for (int i = 0; i < recent.Length; i++)
            if (!recent[..i].Contains(recent[i])) // each token once, however often it stands there
                logits[recent[i]] *= logits[recent[i]] > 0 ? 1 / _options.RepeatPenalty : _options.RepeatPenalty;
    }

    /// <summary>Fills the candidates with the k largest logits and their softmax, largest first.</summary>
    void TakeMostLikely(ReadOnlySpan<float> logits)
    {
        int k = _options.TopK == 0 ? logits.Length : Math.Min(_options.TopK, logits.Length);
        _best.Clear();
        for (int token = 0; token < logits.Length; token++)
            if (_best.Count < k)
                _best.Enqueue(token, (logits[token], -token));
            else if (_best.TryPeek(out _, out (float Logit, int) least) && logits[token] > least.Logit)
                _best.EnqueueDequeue(token, (logits[token], -token));
        _candidates.Clear();
        while (_best.TryDequeue(out int token, out _))
            _candidates.Add((token, logits[token]));
        _candidates.Reverse();
        Softmax(1.0);
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
        Keep(_candidates.FindLastIndex(candidate => candidate.Probability >= least) + 1);
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
    void Softmax(double temperature)
    {
        double largest = _candidates[0].Probability, sum = 0;
        for (int i = 0; i < _candidates.Count; i++)
        {
            double weight = Math.Exp((_candidates[i].Probability - largest) / temperature);
            _candidates[i] = (_candidates[i].Token, weight);
            sum += weight;
        }
        for (int i = 0; i < _candidates.Count; i++)
            _candidates[i] = (_candidates[i].Token, _candidates[i].Probability / sum);
    }
}
