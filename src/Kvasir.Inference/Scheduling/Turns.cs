namespace Kvasir.Inference.Scheduling;

/// <summary>
/// One step at a time, in the order of asking: a lock would let a thread that asks again at once overtake those that wait.
/// </summary>
sealed class Turns
{
    readonly object _gate = new();
    long _next, _serving;

    /// <summary>Whether somebody waits.</summary>
    public bool AreWanted => Volatile.Read(ref _next) - Volatile.Read(ref _serving) > 1;

    /// <summary>Waits for the turn; disposing the result ends it.</summary>
    public Turn Take()
    {
        lock (_gate)
        {
            long mine = _next++;
            while (_serving != mine)
                Monitor.Wait(_gate);
        }
        return new Turn(this);
    }

    void End()
    {
        lock (_gate)
        {
            _serving++;
            Monitor.PulseAll(_gate);
        }
    }

    public readonly struct Turn(Turns turns) : IDisposable
    {
        public void Dispose() => turns.End();
    }
}
