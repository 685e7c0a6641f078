using System.Runtime.InteropServices;
using Kvasir.Planning.Traces;

namespace Kvasir.Planning.Simulation;

/// <summary>When each block of a trace is asked for next, from each request on.</summary>
sealed class TraceFuture
{
    public const int Never = int.MaxValue;

    readonly Dictionary<long, int> _numbers = [];
    readonly int[][] _next; // of each request, the blocks of its prompt and then those that it leaves

    public TraceFuture(Trace trace)
    {
        foreach (TraceRequest request in trace.Requests)
            foreach (long id in request.Blocks.Concat(request.Left ?? []))
                _numbers.TryAdd(id, _numbers.Count);
        int[] next = new int[_numbers.Count];
        next.AsSpan().Fill(Never);
        _next = new int[trace.Requests.Count][];
        for (int i = _next.Length - 1; i >= 0; i--)
        {
            TraceRequest request = trace.Requests[i];
            _next[i] = [.. request.Blocks.Concat(request.Left ?? request.Blocks).Select(id => next[_numbers[id]])];
            foreach (long id in request.Blocks)
                next[_numbers[id]] = i;
        }
    }

    /// <summary>Different blocks.</summary>
    public int Blocks => _numbers.Count;

    /// <summary>A block's number, from 0.</summary>
    public int Number(long id) => CollectionsMarshal.GetValueRefOrNullRef(_numbers, id);

    /// <summary>For the blocks of a request's prompt and then those that it leaves, which request asks for them next.</summary>
    public ReadOnlySpan<int> Next(int request) => _next[request];
}

/// <summary>
/// Room that is kept with the future known (Belady, "A study of replacement algorithms for a virtual-storage computer", 1966). A block need
/// not be stored at all, and of blocks that are due together the deepest goes first. Where blocks are worth different amounts, what goes is
/// worth least for the time until it is used; that is a good choice, but, unlike the other, not always the best.
/// </summary>
/// <param name="future">The future.</param>
/// <param name="room">Blocks.</param>
/// <param name="worth">What finding a block is worth, by how many are before it; above 0.</param>
sealed class ForeseenRoom(TraceFuture future, int room, Func<int, double> worth) : IPolicyRoom
{
    readonly (int Due, int Depth)[] _kept = [.. Enumerable.Repeat((-1, 0), future.Blocks)]; // due -1: not there
    readonly SortedDictionary<int, PriorityQueue<int, (int, int)>> _byWorth = []; // with outdated entries
    int _count;

    public long Steps { get; private set; }

    public bool Holds(long id) => _kept[future.Number(id)].Due >= 0;

    public void Serve(int number, long[] prompt, long[] left)
    {
        ReadOnlySpan<int> next = future.Next(number);
        for (int depth = 0; depth < prompt.Length; depth++)
            Keep(future.Number(prompt[depth]), next[depth], depth);
        for (int depth = 0; depth < left.Length; depth++)
            Keep(future.Number(left[depth]), next[prompt.Length + depth], depth);
        while (_count > room)
            Evict(number);
    }

    void Keep(int block, int due, int depth)
    {
        Steps++;
        if (_kept[block].Due == due)
            return;
        _count += _kept[block].Due < 0 ? 1 : 0;
        _kept[block] = (due, depth);
        int size = Class(depth);
        if (!_byWorth.TryGetValue(size, out PriorityQueue<int, (int, int)>? queue))
            _byWorth.Add(size, queue = new());
        queue.Enqueue(block, (-due, -depth));
    }

    /// <summary>Blocks of nearly the same worth, an eighth of a doubling apart.</summary>
    int Class(int depth) => (int)Math.Round(8 * Math.Log2(worth(depth)));

    void Evict(int now)
    {
        PriorityQueue<int, (int, int)>? from = null;
        double most = -1;
        foreach ((int size, PriorityQueue<int, (int MinusDue, int MinusDepth)> queue) in _byWorth)
        {
            int block, minusDue;
            while (queue.TryPeek(out block, out (int MinusDue, int MinusDepth) order) && _kept[block].Due != -order.MinusDue)
                queue.Dequeue();
            if (!queue.TryPeek(out _, out (int MinusDue, int) latest))
                continue;
            minusDue = latest.MinusDue;
            double wait = minusDue == -TraceFuture.Never ? double.MaxValue : (-minusDue - now) / Math.Pow(2, size / 8.0);
            if (wait > most)
                (most, from) = (wait, queue);
        }
        _kept[from!.Dequeue()] = (-1, 0);
        _count--;
    }
}
