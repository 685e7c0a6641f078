using Kvasir.Cluster.Events;
using Kvasir.KvCache.Routing;

namespace Kvasir.Cluster.Routing;

/// <summary>A node as a router sees it: whether it is there, what it said of itself, and what was sent to it. Thread-safe.</summary>
/// <param name="number">Its number in the list, and in the <see cref="PrefixMap"/>.</param>
/// <param name="address">Where it is.</param>
sealed class Node(int number, Uri address)
{
    const string NotYet = "has not answered yet";

    static readonly TimeSpan s_patienceWithStreams = TimeSpan.FromSeconds(10);

    readonly Lock _gate = new();
    readonly HashSet<Attempt> _attempts = [];
    NodeLoad _reported;
    long _sentTokens, _heard, _failed; // times of Environment.TickCount64
    int _sent;
    long _since = Environment.TickCount64;
    string? _problem = NotYet;

    public int Number => number;

    public Uri Address => address;

    /// <summary>What it said of itself last.</summary>
    public NodeHello? Hello { get; private set; }

    /// <summary>How it is called here and in answers.</summary>
    public string Name { get; set; } = address.Authority;

    /// <summary>What keeps it out though it answers: it is of another model, or there twice; null for nothing.</summary>
    public string? Exclusion { get; set; }

    /// <summary>What it did and what happened to it.</summary>
    public NodeCounts Counts { get; } = new();

    /// <summary>What its owner has to see to, in one line; null for nothing.</summary>
    public string? Trouble
    {
        get
        {
            lock (_gate)
                return _problem ?? Exclusion;
        }
    }

    /// <summary>Why it gets no requests, in one line; null when it gets them.</summary>
    public string? Problem
    {
        get
        {
            lock (_gate)
                return Trouble ?? (_failed >= _heard ? "did not take a connection" : null);
        }
    }

    public bool IsAlive => Problem is null;

    /// <summary>Whether it is not there, or cannot be reached.</summary>
    public bool IsGone { get; private set; }

    /// <summary>Whether it has not been heard of, and not been missed either.</summary>
    public bool IsNew => Problem == NotYet;

    /// <summary>Since when it is there, or not.</summary>
    public TimeSpan Since => TimeSpan.FromMilliseconds(Environment.TickCount64 - Interlocked.Read(ref _since));

    /// <summary>Attempts that are under way.</summary>
    public int InFlight
    {
        get
        {
            lock (_gate)
                return _attempts.Count;
        }
    }

    /// <summary>What it has to do: what it said, and what was sent since.</summary>
    public NodeLoad Load
    {
        get
        {
            lock (_gate)
                return _reported with { Waiting = _reported.Waiting + _sent, QueuedTokens = _reported.QueuedTokens + _sentTokens };
        }
    }

    /// <summary>It answers, and says who it is.</summary>
    public void Up(NodeHello hello)
    {
        lock (_gate)
        {
            IsGone = false;
            (Hello, _problem, _heard, _since) = (hello, null, Environment.TickCount64, Environment.TickCount64);
            (_sent, _sentTokens) = (0, 0);
        }
    }

    /// <summary>It does not. What waits for its first word goes elsewhere at once; streams only when it has been away for long.</summary>
    public void Down(string problem, bool isGone)
    {
        lock (_gate)
        {
            IsGone = isGone;
            if (_problem is null)
                Interlocked.Exchange(ref _since, Environment.TickCount64);
            (_problem, _reported) = (problem, default);
            foreach (Attempt attempt in _attempts)
                if (!attempt.HasStarted || Since > s_patienceWithStreams)
                    attempt.Cancel();
        }
    }

    /// <summary>It said something.</summary>
    public void Heard()
    {
        lock (_gate)
            _heard = Environment.TickCount64;
    }

    /// <summary>It said what it has to do.</summary>
    public void Report(NodeWork work)
    {
        lock (_gate)
        {
            _reported = new NodeLoad(Math.Max(0, work.Running), Math.Max(0, work.Waiting), Math.Max(0, work.QueuedTokens),
                double.IsFinite(work.PrefillTokensPerS) ? Math.Max(0, work.PrefillTokensPerS) : 0);
            (_sent, _sentTokens) = (0, 0);
        }
    }

    /// <summary>It took no connection: nothing is sent there until it says something again.</summary>
    public void Fail()
    {
        lock (_gate)
            _failed = Environment.TickCount64;
        Counts.Failed();
    }

    /// <summary>A request goes there.</summary>
    /// <param name="tokens">What it is likely to compute.</param>
    /// <param name="aborted">The client goes away.</param>
    public Attempt Begin(long tokens, CancellationToken aborted)
    {
        Attempt attempt = new(this, aborted);
        lock (_gate)
        {
            _attempts.Add(attempt);
            _sent++;
            _sentTokens += tokens;
        }
        return attempt;
    }

    public void End(Attempt attempt)
    {
        lock (_gate)
            _attempts.Remove(attempt);
    }
}

/// <summary>A request on its way through one node.</summary>
sealed class Attempt : IDisposable
{
    readonly Node _node;
    readonly CancellationTokenSource _cancellation;

    public Attempt(Node node, CancellationToken aborted) =>
        (_node, _cancellation) = (node, CancellationTokenSource.CreateLinkedTokenSource(aborted));

    public CancellationToken Cancellation => _cancellation.Token;

    /// <summary>Whether the node's answer has begun.</summary>
    public bool HasStarted { get; set; }

    /// <summary>Whether the node would not take the request now.</summary>
    public bool WasRefused { get; set; }

    /// <summary>Gives it up.</summary>
    public void Cancel() => _ = _cancellation.CancelAsync(); // not under the lock of whoever says so

    public void Dispose()
    {
        _node.End(this);
        _cancellation.Dispose();
    }
}

/// <summary>What was sent to a node, and what came of it.</summary>
sealed class NodeCounts
{
    long _routed, _retried, _failed, _hinted, _hintedPieces, _lost;

    /// <summary>Requests that were sent there.</summary>
    public long RoutedRequests => Interlocked.Read(ref _routed);

    /// <summary>Those of them that went elsewhere afterwards.</summary>
    public long RetriedRequests => Interlocked.Read(ref _retried);

    /// <summary>Those that failed there before or while they were answered.</summary>
    public long FailedRequests => Interlocked.Read(ref _failed);

    /// <summary>Those of whose prompts it was thought to have a part.</summary>
    public long HintedRequests => Interlocked.Read(ref _hinted);

    /// <summary>Pieces of those parts.</summary>
    public long HintedPieces => Interlocked.Read(ref _hintedPieces);

    /// <summary>Pieces that nobody else had when it was lost: the holes that it left.</summary>
    public long LostPieces => Interlocked.Read(ref _lost);

    public void Routed(int hintedPieces)
    {
        Interlocked.Increment(ref _routed);
        if (hintedPieces > 0)
            Interlocked.Increment(ref _hinted);
        Interlocked.Add(ref _hintedPieces, hintedPieces);
    }

    public void Retried() => Interlocked.Increment(ref _retried);

    public void Failed() => Interlocked.Increment(ref _failed);

    public void Lost(long pieces) => Interlocked.Add(ref _lost, pieces);
}
