namespace Kvasir.KvCache.Tiers;

/// <summary>
/// Keeps away from a tier that fails time and again: asking it costs as long as it takes to fail. After a rest it is tried once more, and
/// rests twice as long if that fails too. Thread-safe.
/// </summary>
sealed class CircuitBreaker(TimeProvider time)
{
    const int MostFailures = 8; // in a row: fewer may be a few bad places
    static readonly TimeSpan s_firstRest = TimeSpan.FromSeconds(5), s_longestRest = TimeSpan.FromMinutes(5);

    readonly Lock _gate = new();
    TimeSpan _rest = s_firstRest;
    long _closes;
    int _failures;

    /// <summary>Whether the tier is left alone at the moment.</summary>
    public bool IsOpen => Volatile.Read(ref _closes) is not 0 and var closes && time.GetTimestamp() < closes;

    /// <summary>The tier did what it should.</summary>
    public void Succeeded()
    {
        if (Volatile.Read(ref _failures) == 0)
            return;
        lock (_gate)
            (_failures, _rest, _closes) = (0, s_firstRest, 0);
    }

    /// <summary>The tier failed; true when it is left alone now.</summary>
    public bool Failed()
    {
        lock (_gate)
        {
            if (++_failures < MostFailures)
                return false;
            if (IsOpen)
                return true; // those that were under way
            _closes = time.GetTimestamp() + (long)(_rest.TotalSeconds * time.TimestampFrequency);
            _rest = _rest * 2 < s_longestRest ? _rest * 2 : s_longestRest;
            return true;
        }
    }
}
