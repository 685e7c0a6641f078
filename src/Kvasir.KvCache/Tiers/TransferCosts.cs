
using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// What loading and computing take, as measured so far: the basis of load or compute. A tier that was never measured is given the chance to
/// be; a tier that was passed over is trusted a little more each time, since it would never be measured again otherwise. Thread-safe.
/// </summary>
public sealed class TransferCosts
{
    const double WeightOfBytes = 8 << 20; // a transfer of as much counts as much as all before it
    const double WeightOfTokens = 512;

    /// <summary>A transfer of fewer bytes says how long a thread takes to wake up, and little about a tier.</summary>
    public const long LeastBytes = 4 << 20;

    const double Forgiveness = 1.1;
    const double ShareToAsk = 0.05; // of what computing would take, before it is begun while a tier that is far is still asked
    const double ShareToLoad = 0.1; // of it, until a load's pace says something
    static readonly TimeSpan s_leastToAsk = TimeSpan.FromMilliseconds(20); // nobody minds
    static readonly TimeSpan s_leastToLoad = TimeSpan.FromMilliseconds(100), s_mostToLoad = TimeSpan.FromSeconds(30);

    const double WeightOfAnswer = 0.2;

    readonly Lock _gate = new();
    readonly double[] _bytesPerSecond = new double[Enum.GetValues<Tier>().Length];
    readonly double[] _latency = new double[Enum.GetValues<Tier>().Length]; // seconds; of tiers that are far
    readonly double[] _doubt = [.. Enum.GetValues<Tier>().Select(_ => 1.0)]; // what is left of the latency for whom is passed over
    double _tokensPerSecond, _streamedPerSecond;

    /// <summary>Computed tokens per second of prefill; 0 until something was computed.</summary>
    public double TokensPerSecond
    {
        get
        {
            lock (_gate)
                return _tokensPerSecond;
        }
    }

    /// <summary>Bytes came from a tier; fewer than <see cref="LeastBytes"/> teach nothing.</summary>
    public void Loaded(Tier tier, long bytes, TimeSpan time)
    {
        if (bytes < LeastBytes)
            return;
        lock (_gate)
        {
            double way = Math.Min(_latency[(int)tier], time.TotalSeconds / 2);
            Update(ref _bytesPerSecond[(int)tier], bytes, time - TimeSpan.FromSeconds(way), WeightOfBytes);
        }
    }

    /// <summary>Bytes of running sequences came from a disk, in pieces: their layers, in each pass.</summary>
    internal void Streamed(long bytes, TimeSpan time)
    {
        lock (_gate)
            Update(ref _streamedPerSecond, bytes, time, WeightOfBytes);
    }

    /// <summary>
    /// Bytes per second at which those come, or else at which blocks were loaded from the disk; 0 until something came from there.
    /// </summary>
    public double StreamedBytesPerSecond
    {
        get
        {
            lock (_gate)
                return _streamedPerSecond > 0 ? _streamedPerSecond : _bytesPerSecond[(int)Tier.Disk];
        }
    }

    /// <summary>A tier that is far answered a question, which takes as long as the way there and back.</summary>
    public void Answered(Tier tier, TimeSpan time)
    {
        if (IsFrozen)
            return;
        lock (_gate)
        {
            ref double latency = ref _latency[(int)tier];
            latency = latency == 0 ? time.TotalSeconds : latency + WeightOfAnswer * (time.TotalSeconds - latency);
        }
    }

    /// <summary>How long the way to a tier and back takes; zero for those that are near, and until one has answered.</summary>
    public TimeSpan Latency(Tier tier)
    {
        lock (_gate)
            return TimeSpan.FromSeconds(_latency[(int)tier]);
    }

    /// <summary>Whether to ask a tier that is far for tokens: to ask and to load is two ways.</summary>
    public bool IsWorthAsking(Tier tier, int tokens)
    {
        lock (_gate)
        {
            ref double doubt = ref _doubt[(int)tier];
            bool isWorth = _tokensPerSecond == 0 || 2 * doubt * _latency[(int)tier] < tokens / _tokensPerSecond;
            doubt = isWorth ? 1 : tokens == 0 ? doubt : doubt / Forgiveness;
            return isWorth;
        }
    }

    /// <summary>Tokens of a prompt were computed.</summary>
    public void Computed(int tokens, TimeSpan time)
    {
        lock (_gate)
            Update(ref _tokensPerSecond, tokens, time, WeightOfTokens);
    }

    /// <summary>How long so many tokens would take to compute; unlimited while that is not known.</summary>
    public TimeSpan ComputeTime(int tokens) => TokensPerSecond is > 0 and var rate && tokens / rate < TimeSpan.MaxValue.TotalSeconds
        ? TimeSpan.FromSeconds(tokens / rate)
        : TimeSpan.MaxValue;

    /// <summary>How long to wait for what tiers that are far say, before so many tokens are computed without them.</summary>
    internal TimeSpan PatienceToAsk(int tokens, TimeSpan deadline)
    {
        TimeSpan compute = ComputeTime(tokens), patience = compute == TimeSpan.MaxValue ? deadline : compute * ShareToAsk;
        return patience < s_leastToAsk ? s_leastToAsk : patience > deadline ? deadline : patience;
    }

    /// <summary>How long to wait at most for so many tokens that are loaded: about as long as computing them would take.</summary>
    internal TimeSpan PatienceToLoad(int tokens)
    {
        TimeSpan compute = ComputeTime(tokens);
        return compute < s_leastToLoad ? s_leastToLoad : compute > s_mostToLoad ? s_mostToLoad : compute;
    }

    /// <summary>
    /// Whether a load is not worth waiting for any longer: it has taken all the time that there is for it, or would at the pace so far.
    /// </summary>
    internal bool IsLate(Tier from, TimeSpan time, TimeSpan patience, double share) =>
        time >= (time < Sure(from, patience) ? patience : patience * share);

    /// <summary>How long a load goes on until its pace says something.</summary>
    internal TimeSpan Sure(Tier from, TimeSpan patience)
    {
        TimeSpan sure = patience * ShareToLoad + 2 * Latency(from);
        return sure < s_leastToLoad ? s_leastToLoad : sure;
    }

    /// <summary>Whether to load tokens that a tier has, rather than to compute them.</summary>
    public bool LoadIsCheaper(Tier tier, long bytes, int tokens)
    {
        lock (_gate)
        {
            ref double rate = ref _bytesPerSecond[(int)tier];
            double load = _latency[(int)tier] + (rate == 0 ? 0 : bytes / rate);
            if (_tokensPerSecond == 0 || load <= tokens / _tokensPerSecond)
                return true;
            rate *= Forgiveness;
            return false;
        }
    }

    /// <summary>Whether nothing is learnt any more: for tests, whose outcome must not depend on how busy a machine is.</summary>
    internal bool IsFrozen { get; set; }

    void Update(ref double rate, double amount, TimeSpan time, double weight)
    {
        if (amount <= 0 || time <= TimeSpan.Zero || IsFrozen)
            return;
        double seen = amount / time.TotalSeconds, share = rate == 0 ? 1 : amount / (amount + weight);
        rate = 1 / ((1 - share) / (rate == 0 ? seen : rate) + share / seen); // times are what adds up, not rates
    }
}
