namespace Kvasir.KvCache.Eviction;

/// <summary>
/// How often blocks come back, by what kind of block they are and how long ago they were used: learned from those that do, among those that
/// could have. What happened lately counts most. A kind of which little was seen is taken to be like all.
/// </summary>
sealed class ReturnRates(int kinds)
{
    const int LikeAll = 20; // returns that are added to each kind's, as if they had come at the rate of all
    const double Fading = 0.985;

    readonly double[,] _returns = new double[kinds, BlockAge.Buckets];
    readonly double[,] _waits = new double[kinds, BlockAge.Buckets]; // blocks that could have come back, times how long they could
    readonly double[] _all = new double[BlockAge.Buckets];
    readonly double[] _rates = new double[BlockAge.Buckets];
    readonly double[] _comesBack = new double[BlockAge.Buckets];

    /// <summary>A block has come back.</summary>
    public void Return(int kind, uint age) => _returns[kind, BlockAge.Bucket(age)]++;

    /// <summary>So many blocks of an age were waiting, for so long.</summary>
    public void Wait(int kind, int bucket, double blocks, double time) => _waits[kind, bucket] += blocks * time;

    /// <summary>
    /// What it is worth to keep a block: the most uses to be had for each moment that it is kept, if it goes at the best age. That is the
    /// index of Gittins, "Bandit processes and dynamic allocation indices", 1979; for caches, Beckmann, Chen, Cidon, "LHD: Improving cache
    /// hit rate by maximizing hit density", NSDI 2018, with one age for all to go at.
    /// </summary>
    /// <param name="densities">Uses for each moment, by kind and age: [kind · ages + bucket].</param>
    public void Learn(double[] densities)
    {
        for (int bucket = 0; bucket < BlockAge.Buckets; bucket++)
        {
            (double returns, double waits) = (0, 0);
            for (int kind = 0; kind < kinds; kind++)
                (returns, waits) = (returns + _returns[kind, bucket], waits + _waits[kind, bucket]);
            _all[bucket] = (returns + 1) / (waits + 2 * BlockAge.Start(bucket + 1)); // before anything is known, the older the fewer
        }
        for (int kind = 0; kind < kinds; kind++)
            Learn(kind, densities.AsSpan(kind * BlockAge.Buckets, BlockAge.Buckets));
    }

    void Learn(int kind, Span<double> densities)
    {
        for (int bucket = 0; bucket < BlockAge.Buckets; bucket++)
        {
            _rates[bucket] = (_returns[kind, bucket] + LikeAll) / (_waits[kind, bucket] + LikeAll / _all[bucket]);
            _comesBack[bucket] = 1 - Math.Exp(-_rates[bucket] * BlockAge.Width(bucket));
            (_returns[kind, bucket], _waits[kind, bucket]) = (_returns[kind, bucket] * Fading, _waits[kind, bucket] * Fading);
        }
        for (int bucket = 0; bucket < BlockAge.Buckets; bucket++)
            densities[bucket] = Density(bucket);
    }

    /// <summary>Of a block that has not come back until it reached an age.</summary>
    double Density(int from)
    {
        (double waiting, double uses, double time, double best) = (1, 0, 0, 0);
        for (int bucket = from; bucket < BlockAge.Buckets; bucket++)
        {
            uses += waiting * _comesBack[bucket];
            time += waiting * _comesBack[bucket] / _rates[bucket];
            waiting *= 1 - _comesBack[bucket];
            best = Math.Max(best, uses / time);
        }
        return best;
    }
}
