using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>
/// The conversations of a trace, which traces do not name: a request goes on with one when its prompt holds the deepest whole block that
/// the conversation has left. A shared system prompt alone makes no conversation.
/// </summary>
public sealed class TraceSessions
{
    readonly int _blockTokens;
    readonly Dictionary<long, int> _byDeepest = [];

    /// <param name="blockTokens">Tokens of a block.</param>
    public TraceSessions(int blockTokens) => _blockTokens = blockTokens;

    /// <summary>Conversations so far.</summary>
    public int Count { get; private set; }

    /// <summary>Requests so far that went on with one.</summary>
    public int Continued { get; private set; }

    /// <summary>All conversations of a trace.</summary>
    public static TraceSessions Of(Trace trace)
    {
        ArgumentNullException.ThrowIfNull(trace);
        TraceSessions sessions = new(trace.BlockTokens);
        foreach (TraceRequest request in trace.Requests)
            sessions.Of(request);
        return sessions;
    }

    /// <summary>The number of the next request's conversation, from 0. Give requests in the order of their arrival.</summary>
    public int Of(TraceRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        int session = Continues(request) ?? Count++;
        if (Deepest(request) is { } deepest)
            _byDeepest[deepest] = session;
        return session;
    }

    int? Continues(TraceRequest request)
    {
        for (int block = request.Blocks.Length - 1; block >= 0; block--)
            if (_byDeepest.Remove(request.Blocks[block], out int session))
            {
                Continued++;
                return session;
            }
        return null;
    }

    long? Deepest(TraceRequest request)
    {
        (long[] blocks, long tokens) = request.Left is { } left
            ? (left, (long)request.InputTokens + Math.Max(0, request.OutputTokens - 1))
            : (request.Blocks, request.InputTokens);
        return Math.Min(blocks.Length, tokens / _blockTokens) is > 0 and var whole ? blocks[whole - 1] : null;
    }
}
