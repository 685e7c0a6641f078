using System.Buffers;

namespace Kvasir.RemoteTiers;

/// <summary>
/// Threads of a tier's own that bring values, so that a slow store never takes those that serve everybody. Each has a few requests under
/// way and takes their answers in order. They start with the first load.
/// </summary>
/// <param name="begin">Asks for a value; null when that is of no use.</param>
/// <param name="end">Takes the answer, which is over, and reports it.</param>
/// <param name="outstanding">How many values each thread asks for before it takes the first answer.</param>
sealed class FetchThreads(Func<ValueFetch, Task<IMemoryOwner<byte>?>?> begin, Action<ValueFetch, Task<IMemoryOwner<byte>?>?> end,
    Func<int> outstanding) : IDisposable
{
    const int Threads = 2;

    readonly object _gate = new();
    readonly Queue<ValueFetch> _waiting = [];
    readonly List<Thread> _threads = [];
    bool _stopping;

    /// <summary>Begins to bring values, in their order. Returns at once.</summary>
    public void Start(IEnumerable<ValueFetch> fetches)
    {
        lock (_gate)
        {
            foreach (ValueFetch fetch in fetches)
                _waiting.Enqueue(fetch);
            while (_threads.Count < Threads)
            {
                var thread = new Thread(Work) { IsBackground = true, Name = $"kvasir remote {_threads.Count}" };
                _threads.Add(thread);
                thread.Start();
            }
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Finishes what was begun and ends the threads.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _stopping = true;
            Monitor.PulseAll(_gate);
        }
        foreach (Thread thread in _threads)
            thread.Join();
    }

    void Work()
    {
        Queue<(ValueFetch Fetch, Task<IMemoryOwner<byte>?>? Answer)> underWay = [];
        while (true)
        {
            while (underWay.Count < outstanding() && Next(mayWait: underWay.Count == 0) is { } next)
                underWay.Enqueue((next, begin(next)));
            if (!underWay.TryDequeue(out (ValueFetch Fetch, Task<IMemoryOwner<byte>?>? Answer) first))
                return;
            if (first.Answer is not null)
                ((IAsyncResult)first.Answer).AsyncWaitHandle.WaitOne();
            end(first.Fetch, first.Answer);
        }
    }

    ValueFetch? Next(bool mayWait)
    {
        lock (_gate)
            while (true)
            {
                if (_waiting.TryDequeue(out ValueFetch? fetch))
                    return fetch;
                if (!mayWait || _stopping)
                    return null;
                Monitor.Wait(_gate);
            }
    }
}
