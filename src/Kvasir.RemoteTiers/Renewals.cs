namespace Kvasir.RemoteTiers;

/// <summary>Values whose life is to begin anew because somebody used them: gathered for a while, told at once.</summary>
sealed class Renewals : IDisposable
{
    static readonly TimeSpan s_gathering = TimeSpan.FromSeconds(1);
    const int Most = 1 << 14;

    readonly Lock _gate = new();
    readonly HashSet<string> _names = [];
    readonly Func<IReadOnlyList<string>, Task> _renew;
    readonly ITimer _timer;

    /// <param name="renew">Renews values.</param>
    /// <param name="time">The clock.</param>
    public Renewals(Func<IReadOnlyList<string>, Task> renew, TimeProvider time)
    {
        _renew = renew;
        _timer = time.CreateTimer(_ => _ = Flush(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Renews values soon. Returns at once.</summary>
    public void Add(IEnumerable<string> names)
    {
        lock (_gate)
        {
            if (_names.Count == 0)
                _timer.Change(s_gathering, Timeout.InfiniteTimeSpan);
            if (_names.Count < Most)
                _names.UnionWith(names);
        }
    }

    /// <summary>What is gathered is renewed, as far as that can be done at once.</summary>
    public void Dispose()
    {
        _timer.Dispose();
        Flush().Wait(s_gathering);
    }

    async Task Flush()
    {
        string[] names;
        lock (_gate)
        {
            names = [.. _names];
            _names.Clear();
        }
        try
        {
            if (names.Length > 0)
                await _renew(names).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException) { } // they live on for half their life, and the next use renews them
    }
}
