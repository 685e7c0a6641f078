using System.Collections.Concurrent;

namespace Kvasir.Server.Http;

/// <summary>
/// One thread for what takes much memory: pools of arrays keep what they lend for each thread that has asked, so many would keep as much
/// each.
/// </summary>
sealed class OneThread : TaskScheduler, IDisposable
{
    readonly BlockingCollection<Task> _tasks = [];
    readonly Lazy<Thread> _thread;

    public OneThread() => _thread = new Lazy<Thread>(Start);

    public override int MaximumConcurrencyLevel => 1;

    /// <summary>Does something there; what it awaits goes on elsewhere.</summary>
    public Task<T> Run<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.HideScheduler | TaskCreationOptions.DenyChildAttach, this);

    /// <summary>Ends it when what is there has been done.</summary>
    public void Dispose()
    {
        _tasks.CompleteAdding();
        if (_thread.IsValueCreated)
            _thread.Value.Join();
        _tasks.Dispose();
    }

    protected override void QueueTask(Task task)
    {
        _ = _thread.Value;
        _tasks.Add(task);
    }

    protected override bool TryExecuteTaskInline(Task task, bool taskWasPreviouslyQueued) => false;

    protected override IEnumerable<Task> GetScheduledTasks() => _tasks;

    Thread Start()
    {
        Thread thread = new(Work) { IsBackground = true, Name = "large requests" };
        thread.Start();
        return thread;
    }

    void Work()
    {
        foreach (Task task in _tasks.GetConsumingEnumerable())
            TryExecuteTask(task);
    }
}
