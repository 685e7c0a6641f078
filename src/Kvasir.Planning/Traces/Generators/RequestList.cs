namespace Kvasir.Planning.Traces.Generators;

/// <summary>The requests of a trace that is being made, with ids that are given out once.</summary>
sealed class RequestList(int blockTokens, CancellationToken cancellation)
{
    /// <summary>More requests than this are refused.</summary>
    public const int MostRequests = 10_000_000;

    /// <summary>So are more ids of blocks in all texts and requests: 512 MiB.</summary>
    const int MostIds = 1 << 26;

    readonly List<TraceRequest> _requests = [];
    long _kept, _nextId;

    public int BlockTokens { get; } = blockTokens;

    public long NewId()
    {
        Keep(1);
        return _nextId++;
    }

    /// <summary>Counts ids that take memory.</summary>
    public void Keep(int ids)
    {
        if ((_kept += ids) > MostIds)
            throw new ArgumentException(
                $"the trace would have more than {MostIds:N0} ids of blocks: expected fewer or shorter requests, or larger blocks");
    }

    /// <summary>A text without tokens.</summary>
    public GrowingText NewText() => new(this);

    /// <summary>Adds a request that asks with a text, which its answer then makes longer.</summary>
    public void Ask(TimeSpan arrival, GrowingText text, int answer)
    {
        cancellation.ThrowIfCancellationRequested();
        long[] prompt = text.Blocks();
        int tokens = text.Tokens;
        text.Append(answer);
        long[] left = text.FullBlocks(text.Tokens - Math.Min(answer, 1)); // an answer's last token is never computed
        Keep(prompt.Length + left.Length);
        if (_requests.Count == MostRequests)
            throw new ArgumentException($"the trace would have more than {MostRequests:N0} requests: expected fewer");
        _requests.Add(new TraceRequest(arrival, tokens, answer, prompt, left));
    }

    /// <summary>By arrival; of one moment, those first that were added first.</summary>
    public List<TraceRequest> InOrder() => [.. _requests.OrderBy(request => request.Arrival)];
}
