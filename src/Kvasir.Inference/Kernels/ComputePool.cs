using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Kernels;

/// <summary>
/// Work cut into independent items, each computed by whichever thread takes it. An item's result must not depend on the thread.
/// </summary>
interface IComputeJob
{
    /// <param name="item">Which item, from 0.</param>
    /// <param name="thread">Which thread of the pool runs it, for scratch memory.</param>
    void Run(int item, int thread);
}

/// <summary>
/// The threads that compute; the caller of <see cref="Run"/> is one of them. Each has a stretch of the items, claims those one by one and then
/// what is left of the others' stretches: neighbours in memory are read by one thread, as one stream, and yet a job is done when its items
/// are, not when every thread has been seen, so that a thread that the operating system keeps off its core delays nobody. Threads without
/// work spin briefly and then park. Running a job allocates nothing.
/// </summary>
sealed unsafe class ComputePool : IDisposable
{
    const int SpinRounds = 400; // of SpinWait(4): some 50 µs, longer than the gap between two kernels of one step

    const int Apart = 16; // tickets: two lines of the cache, which are fetched together

    readonly Thread[] _helpers;
    readonly Lock _running = new();
    readonly object _parking = new();
    int _parked;
    bool _stopping;

    // The published job, written while no item is unclaimed. A ticket itself says how many are: a claim that succeeds thus proves that
    // the job was this one from the reading to the claim, whereas a count beside it could be the next job's already, and let a late
    // thread run one of its items early.
    delegate*<void*, int, int, void> _run;
    void* _job;
    int _items;
    readonly long[] _tickets; // of each thread's stretch: epoch in the upper half, unclaimed items in the lower
    int _done;
    Exception? _failure;

    /// <param name="threads">Threads that compute, the caller included; at least 1.</param>
    public ComputePool(int threads)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(threads, 1);
        _tickets = new long[(threads + 1) * Apart];
        _helpers = new Thread[threads - 1];
        for (int i = 0; i < _helpers.Length; i++)
        {
            int thread = i + 1;
            _helpers[i] = new Thread(() => Help(thread)) { IsBackground = true, Name = $"kvasir compute {thread}" };
            _helpers[i].Start();
        }
    }

    public int Threads => _helpers.Length + 1;

    /// <summary>Runs all items of a job and returns when the last is done. One job at a time: a second caller waits.</summary>
    public void Run<TJob>(ref TJob job, int items) where TJob : struct, IComputeJob
    {
        if (items <= 1 || _helpers.Length == 0)
        {
            for (int item = 0; item < items; item++)
                job.Run(item, 0);
            return;
        }
        lock (_running)
        {
            Publish(Unsafe.AsPointer(ref job), &RunItem<TJob>, items);
            Claim(Epoch, 0);
            WaitForOthers(items);
            if (_failure is { } thrown)
                throw new InvalidOperationException("a compute job failed", thrown);
        }
    }

    public void Dispose()
    {
        lock (_parking)
        {
            _stopping = true;
            Monitor.PulseAll(_parking);
        }
        foreach (Thread helper in _helpers)
            helper.Join();
    }

    static void RunItem<TJob>(void* job, int item, int thread) where TJob : struct, IComputeJob =>
        Unsafe.AsRef<TJob>(job).Run(item, thread);

    /// <summary>The job that is published: the first stretch's ticket is the last to be written.</summary>
    long Epoch => Volatile.Read(ref Ticket(0)) >> 32;

    ref long Ticket(int stretch) => ref _tickets[(stretch + 1) * Apart];

    /// <summary>The first item of a stretch.</summary>
    static int First(int stretch, int items, int threads) => (int)((long)items * stretch / threads);

    void Publish(void* newJob, delegate*<void*, int, int, void> newRun, int newItems)
    {
        _job = newJob;
        _run = newRun;
        (_items, _done, _failure) = (newItems, 0, null);
        long epoch = Epoch + 1 << 32;
        for (int stretch = Threads - 1; stretch >= 0; stretch--)
            Interlocked.Exchange(ref Ticket(stretch),
                epoch | (uint)(First(stretch + 1, newItems, Threads) - First(stretch, newItems, Threads)));
        if (Volatile.Read(ref _parked) > 0)
            lock (_parking)
                Monitor.PulseAll(_parking);
    }

    /// <summary>Takes items of one epoch until none is left, those of the thread's own stretch first.</summary>
    void Claim(long epoch, int thread)
    {
        for (int i = 0, stretch = thread; i < Threads; i++, stretch = stretch + 1 < Threads ? stretch + 1 : 0)
            while (TryClaim(epoch, stretch, thread))
            {
            }
    }

    bool TryClaim(long epoch, int stretch, int thread)
    {
        ref long ticket = ref Ticket(stretch);
        while (true)
        {
            long seen = Volatile.Read(ref ticket);
            delegate*<void*, int, int, void> run = _run;
            void* job = _job;
            int unclaimed = (int)seen, item = First(stretch + 1, _items, Threads) - unclaimed;
            if (seen >> 32 != epoch || unclaimed == 0)
                return false;
            if (Interlocked.CompareExchange(ref ticket, seen - 1, seen) != seen)
                continue;
            RunClaimed(run, job, item, thread);
            return true;
        }
    }

    void RunClaimed(delegate*<void*, int, int, void> run, void* job, int item, int thread)
    {
        try
        {
            run(job, item, thread);
        }
        catch (Exception e) // crosses to the thread that called Run, which rethrows it
        {
            _failure = e;
        }
        Interlocked.Increment(ref _done);
    }

    void WaitForOthers(int items)
    {
        for (int round = 0; Volatile.Read(ref _done) < items; round++)
        {
            if (round < SpinRounds)
                Thread.SpinWait(4);
            else
                Thread.Yield(); // the other thread may need this core to finish
        }
    }

    void Help(int thread)
    {
        long epoch = 0;
        while (WaitForWork(epoch))
        {
            epoch = Epoch;
            Claim(epoch, thread);
        }
    }

    bool WaitForWork(long finished)
    {
        for (int round = 0; round < SpinRounds; round++)
        {
            if (Epoch != finished)
                return true;
            Thread.SpinWait(4);
        }
        lock (_parking)
        {
            Interlocked.Increment(ref _parked);
            while (Epoch == finished && !_stopping)
                Monitor.Wait(_parking);
            Interlocked.Decrement(ref _parked);
            return !_stopping;
        }
    }
}
