using System.Diagnostics;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// Serves completions, many at a time, on a thread of its own that alone touches sequences, pool and kernels: continuous batching (Yu et
/// al., Orca, OSDI 2022) with chunked prefill (Agrawal et al., Sarathi-Serve, 2024, https://arxiv.org/abs/2403.02310). Others send it
/// completions and read what comes out.
/// </summary>
sealed class Scheduler : IDisposable
{
    static readonly TimeSpan s_look = TimeSpan.FromMilliseconds(1); // while all wait for other machines

    readonly object _gate = new();
    readonly List<Generation> _arrived = []; // under the gate
    readonly List<Generation> _waiting = [], _arriving = [], _running = [], _profiling = []; // in the order in which they are served
    readonly EngineParts _engine;
    readonly StepPlanner _planner;
    readonly Thread _thread;
    int _waitingCount, _runningCount;
    long _arrivals, _preemptions, _steps, _computedTokens, _queuedTokens, _arrivedTokens;
    bool _stopping, _woken; // under the gate

    public Scheduler(EngineParts engine)
    {
        _engine = engine;
        _planner = new StepPlanner(engine);
        _thread = new Thread(Serve) { IsBackground = true, Name = "kvasir scheduler" };
        _thread.Start();
    }

    /// <summary>What it is doing.</summary>
    public SchedulerCounts Counts => new(Volatile.Read(ref _runningCount), Volatile.Read(ref _waitingCount),
        Volatile.Read(ref _preemptions), Volatile.Read(ref _steps), Volatile.Read(ref _computedTokens),
        Volatile.Read(ref _queuedTokens) + Volatile.Read(ref _arrivedTokens));

    /// <summary>Takes a completion, unless too many wait already.</summary>
    /// <exception cref="QueueFullException">As many wait as may.</exception>
    /// <exception cref="ObjectDisposedException">The engine is disposed.</exception>
    public void Submit(Generation generation)
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_stopping, this);
            if (Volatile.Read(ref _waitingCount) is var waiting && waiting >= _engine.MaxWaiting)
                throw new QueueFullException(waiting, RetryAfter());
            Interlocked.Increment(ref _waitingCount); // the scheduler counts down without the gate
            generation.Number = _arrivals++;
            _arrived.Add(generation);
            _arrivedTokens += generation.Sequence.Tokens.Length;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Ends what runs and waits, as cancelled, and the thread.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.Pulse(_gate);
        }
        _thread.Join();
    }

    void Serve()
    {
        while (WaitForWork())
        {
            TakeIn();
            EndAll(generation => generation.IsCancelled);
            Start();
            Admit();
            if (_running.Count > 0)
                Step();
            Profile();
            if (_running.Count > 0 && _planner.Pass.Rows == 0 && _profiling.Count == 0)
                Rest();
            Volatile.Write(ref _runningCount, Begun);
            Volatile.Write(ref _queuedTokens, TokensOf(_running) + TokensOf(_arriving) + TokensOf(_waiting));
        }
        TakeIn();
        EndAll(_ => true);
        Volatile.Write(ref _runningCount, 0);
        Volatile.Write(ref _queuedTokens, 0);
    }

    /// <summary>Completions whose turn has come.</summary>
    int Begun => _running.Count + _arriving.Count + _profiling.Count;

    /// <summary>Tokens that are missing of prompts; the one that every answer computes in each pass is no prompt's.</summary>
    static long TokensOf(List<Generation> generations)
    {
        long tokens = 0;
        foreach (Generation generation in generations)
            tokens += Math.Max(0, generation.Sequence.Tokens.Length - generation.Sequence.Cached - 1);
        return tokens;
    }

    /// <summary>
    /// Waits as long as nothing runs and nothing new can begin to: nobody has come, and whoever's turn has come is still looked up.
    /// </summary>
    bool WaitForWork()
    {
        lock (_gate)
        {
            while (!_stopping && !_woken && _arrived.Count + _running.Count + _profiling.Count == 0
                && (_arriving.Count > 0 || _waiting.Count == 0))
                Monitor.Wait(_gate);
            _woken = false;
            return !_stopping;
        }
    }

    /// <summary>Nothing can be computed before something comes.</summary>
    void Rest()
    {
        lock (_gate)
            if (!_stopping && !_woken && _arrived.Count == 0)
                Monitor.Wait(_gate, s_look);
    }

    void Wake()
    {
        lock (_gate)
        {
            _woken = true;
            Monitor.Pulse(_gate);
        }
    }

    void TakeIn()
    {
        lock (_gate)
        {
            foreach (Generation generation in _arrived)
                Insert(_waiting, generation);
            _arrived.Clear();
            _arrivedTokens = 0;
        }
    }

    /// <summary>
    /// Whose turn it is arrives, in its order, while the pool has room for it beside what runs: what the tiers have of it is
    /// looked up, while others compute.
    /// </summary>
    void Start()
    {
        while (_waiting.Count > 0 && Begun < _engine.MaxRunning && HasRoomFor(_waiting[0]))
        {
            Generation generation = _waiting[0];
            _waiting.RemoveAt(0);
            Insert(_arriving, generation);
            // before it says anything, and before it waits no more: at no time does it seem to be nowhere
            Volatile.Write(ref _runningCount, Begun);
            Interlocked.Decrement(ref _waitingCount);
            Try(generation, () => generation.Arrive(Wake));
        }
        _arriving.RemoveAll(generation => generation.IsOver); // it wanted no token, or could not begin
    }

    /// <summary>What has been looked up runs from now on.</summary>
    void Admit()
    {
        for (int i = 0; i < _arriving.Count;)
        {
            Generation generation = _arriving[i];
            if (!generation.HasArrived(mayWait: _running.Count == 0))
            {
                i++;
                continue;
            }
            _arriving.RemoveAt(i);
            Try(generation, generation.Begin);
            if (!generation.IsOver)
                Insert(generation.IsArriving ? _arriving : _running, generation);
        }
    }

    /// <summary>What goes wrong with one completion is no other's business.</summary>
    static void Try(Generation generation, Action what)
    {
        try
        {
            what();
        }
        catch (Exception e)
        {
            generation.Fail(e);
        }
    }

    bool HasRoomFor(Generation generation)
    {
        if (Begun == 0)
            return true; // a context always fits, and if others hold the pool, its failure says so
        var counts = _engine.Cache.Device.Counts;
        if (!_engine.HasRoomAnywhere(generation.AllBlocksWanted, _running.Concat(_arriving))
            || !_engine.HasRoomInWindows(generation.WindowBlocksWanted, _running.Concat(_arriving)))
            return false;
        return generation.BlocksWanted + _running.Concat(_arriving).Concat(_profiling)
            .Sum(other => Math.Max(1, other.BlocksWanted))
            <= counts.Free + counts.Cached + _engine.Cache.Views.Reclaimable + _running.Sum(other => other.Sequence.Blocks.MovableBlocks);
    }

    void Step()
    {
        try
        {
            long start;
            do
            {
                FailLost();
                while (_planner.Plan(_running) is { } homeless)
                    MakeRoomFor(homeless);
                start = Stopwatch.GetTimestamp();
            }
            while (_planner.Pass.Rows > 0 && !_planner.Pass.TryCompute());
            if (_planner.Pass.Rows == 0)
                return;
            _planner.Took(Stopwatch.GetElapsedTime(start));
            (_steps, _computedTokens) = (_steps + 1, _computedTokens + _planner.Pass.Rows - _planner.Pass.Drafted);
            foreach ((Generation generation, int row, int from) in _planner.Read)
                Try(generation, () => generation.ReadPrompt(_planner.Pass, row, from));
            for (int i = 0; i < _planner.Completed.Count; i++)
                if (!_planner.Completed[i].IsOver)
                    Take(_planner.Completed[i], _planner.LastRows[i]);
            foreach (Generation generation in _planner.Advanced)
                if (!generation.IsOver)
                    generation.Advance();
        }
        catch (Exception e) // a bug, or no memory: whoever waits for an answer must hear of it
        {
            foreach (Generation generation in _running)
                generation.Fail(e);
        }
        _running.RemoveAll(generation => generation.IsOver);
        foreach (Generation generation in _running)
            if (generation.IsProfiling)
                Insert(_profiling, generation);
            else if (generation.IsArriving)
                Insert(_arriving, generation);
        _running.RemoveAll(generation => generation.IsProfiling || generation.IsArriving);
    }

    /// <summary>One pass looks at the prefix of whoever comes first; others compute between the passes.</summary>
    void Profile()
    {
        if (_profiling.Count > 0)
            Profile(_profiling[0], rows: _planner.RowsThatLook(isAlone: _running.Count == 0));
    }

    void Profile(Generation generation, int rows)
    {
        Try(generation, () => generation.StepProfile(rows));
        if (generation.IsProfiling && !generation.IsOver)
            return;
        _profiling.RemoveAt(0);
        if (!generation.IsOver)
            Insert(_arriving, generation);
    }

    void Take(Generation generation, (int Row, int Drafted) last)
    {
        try
        {
            _computedTokens += generation.Take(_planner.Pass, last.Row, last.Drafted);
        }
        catch (Exception e)
        {
            generation.Fail(e);
        }
        if (generation.IsOver)
            _planner.Ended(generation.Age, _running.Count);
    }

    /// <summary>
    /// The pool has no room for a sequence's next tokens: the one that is served last gives its blocks back to the cache, from where it
    /// will fetch them when its turn comes. A sequence that is alone has nobody to ask.
    /// </summary>
    void MakeRoomFor(Generation homeless)
    {
        if (MoveOut() || WaitsForWhatFillsThePool(homeless))
            return;
        List<Generation> those = _profiling.Count > 0 ? _profiling : _running;
        Generation last = those == _running && homeless.IsStreamed && _running.Exists(other => !other.IsStreamed)
            ? homeless : those[^1];
        if (last == homeless && _running.Count == 1 && !_arriving.Exists(generation => generation.HoldsPrefix))
            homeless.Fail(_engine.NoRoomFor(homeless.Sequence));
        else
        {
            last.Pause();
            Insert(_waiting, last);
            Interlocked.Increment(ref _waitingCount);
            _preemptions++;
        }
        those.Remove(last);
    }

    /// <summary>
    /// The sequence that has most of the pool reads its oldest blocks from elsewhere, where the cache is set up for that: short ones stay
    /// whole.
    /// </summary>
    bool MoveOut() => _engine.Cache.Streamed is not null
        && _running.MaxBy(generation => generation.Sequence.Blocks.MovableBlocks)!.Sequence.Blocks.TryMoveOut();

    /// <summary>What is on its way into the pool can be read from elsewhere as soon as it is there.</summary>
    bool WaitsForWhatFillsThePool(Generation homeless)
    {
        if (_engine.Cache.Streamed is null || !homeless.Sequence.Blocks.IsWaiting)
            return false;
        homeless.Sequence.Blocks.WaitForAll();
        return true;
    }

    /// <summary>Ends what has lost keys and values that cannot be computed again.</summary>
    void FailLost()
    {
        foreach (Generation generation in _running)
            if (generation.Sequence.Blocks.Failure is { } why)
                generation.Fail(new IOException(why));
        _running.RemoveAll(generation => generation.IsOver);
    }

    /// <summary>Ends, as cancelled, what is to end.</summary>
    void EndAll(Predicate<Generation> which)
    {
        foreach (List<Generation> generations in (ReadOnlySpan<List<Generation>>)[_running, _arriving, _profiling, _waiting])
            End(generations, which);
    }

    void End(List<Generation> generations, Predicate<Generation> which)
    {
        foreach (Generation generation in generations)
            if (which(generation))
            {
                Generation ended = generation;
                Try(ended, () => ended.Finish(FinishReason.Cancelled));
                if (generations == _waiting)
                    Interlocked.Decrement(ref _waitingCount);
            }
        generations.RemoveAll(generation => generation.IsOver);
    }

    /// <summary>By priority, then by arrival.</summary>
    static void Insert(List<Generation> generations, Generation generation)
    {
        int at = generations.FindIndex(
            other => (generation.Options.Priority, generation.Number).CompareTo((other.Options.Priority, other.Number)) < 0);
        generations.Insert(at < 0 ? generations.Count : at, generation);
    }

    /// <summary>About as long as the half of what waits will take, by what the last ones took.</summary>
    TimeSpan RetryAfter() => TimeSpan.FromSeconds(Math.Clamp(Math.Ceiling(_planner.SecondsPerCompletion * _waitingCount / 2), 1, 60));
}
