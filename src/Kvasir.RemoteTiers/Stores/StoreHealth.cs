namespace Kvasir.RemoteTiers.Stores;

/// <summary>
/// Whether a store can be used. It is asked for a sign of life at the start and, once it has failed, time and again in the background, with
/// longer and longer rests: no request ever waits for a store that is known to be dead.
/// </summary>
/// <param name="place">What the store is called.</param>
/// <param name="probe">Asks for a sign of life.</param>
/// <param name="tell">Hears of every change.</param>
/// <param name="time">The clock.</param>
sealed class StoreHealth(string place, Func<Task> probe, Action<string>? tell, TimeProvider time) : IDisposable
{
    static readonly TimeSpan s_firstRest = TimeSpan.FromSeconds(1), s_longestRest = TimeSpan.FromMinutes(1);

    readonly Lock _gate = new();
    readonly TaskCompletionSource _first = new(TaskCreationOptions.RunContinuationsAsynchronously);
    readonly CancellationTokenSource _over = new();
    string? _failure, _refusal, _toldRefusal;
    bool _probing;
    volatile bool _reachable;

    /// <summary>Whether it answered when it was asked last.</summary>
    public bool IsReachable => _reachable;

    /// <summary>Whether it was not asked yet, or has not answered yet.</summary>
    public bool IsStarting => !_first.Task.IsCompleted;

    /// <summary>What is wrong, in one line; null when nothing is.</summary>
    public string? Problem => _failure ?? _refusal;

    /// <summary>Asks for the first sign of life, in the background.</summary>
    public void Start() => Probe(TimeSpan.Zero);

    /// <summary>Waits for the first answer, or until there was none; whether it is reachable now.</summary>
    public async ValueTask<bool> WaitForStart(TimeSpan patience, CancellationToken cancellation)
    {
        if (IsStarting)
            await _first.Task.WaitAsync(patience, time, cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return _reachable;
    }

    /// <summary>It did not do what it should: it is left alone until it gives a sign of life.</summary>
    public void Failed(Exception e)
    {
        if (e is StoreRefusedException)
            Refused(e);
        else
            Lost(e, s_firstRest);
    }

    /// <summary>It took what it was given.</summary>
    public void Took() => _refusal = null;

    public void Dispose()
    {
        if (IsStarting)
            tell?.Invoke($"{place}: has not answered yet; everything was computed");
        _over.Cancel();
    }

    /// <summary>It answers, and takes nothing: what is there is found all the same.</summary>
    void Refused(Exception e)
    {
        string refusal = $"{place}: {e.Message}; what is there is read, and writes are dropped";
        _refusal = refusal;
        if (Interlocked.Exchange(ref _toldRefusal, refusal) != refusal) // a store that is nearly full takes some and refuses others
            tell?.Invoke(refusal);
    }

    void Lost(Exception e, TimeSpan rest)
    {
        string failure = $"{place}: {e.Message}; it is left alone until it answers, and everything is computed meanwhile";
        _reachable = false;
        if (Interlocked.Exchange(ref _failure, failure) is null)
            tell?.Invoke(failure);
        Probe(rest);
    }

    void Probe(TimeSpan rest)
    {
        lock (_gate)
            if (!_probing && !_over.IsCancellationRequested)
            {
                _probing = true;
                _ = Task.Run(() => ProbeUntilItAnswers(rest));
            }
    }

    async Task ProbeUntilItAnswers(TimeSpan rest)
    {
        try
        {
            while (true)
            {
                if (rest > TimeSpan.Zero)
                    await Task.Delay(rest, time, _over.Token).ConfigureAwait(false);
                if (await Answers().ConfigureAwait(false))
                    return;
                rest = rest == TimeSpan.Zero ? s_firstRest : rest * 2 < s_longestRest ? rest * 2 : s_longestRest;
            }
        }
        catch (OperationCanceledException) { }
        finally
        {
            _first.TrySetResult();
        }
    }

    async Task<bool> Answers()
    {
        try
        {
            await probe().ConfigureAwait(false);
        }
        catch (Exception e)
        {
            Lost(e, TimeSpan.Zero); // a probe is under way: this one
            _first.TrySetResult();
            return false;
        }
        lock (_gate)
            (_probing, _reachable) = (false, true);
        _first.TrySetResult();
        if (Interlocked.Exchange(ref _failure, null) is not null)
            tell?.Invoke($"{place}: answers and is used");
        return true;
    }
}
