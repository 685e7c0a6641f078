namespace Kvasir.Planning.Simulation;

/// <summary>What will happen, and when: in the order of time, and at the same time in the order in which it was planned.</summary>
sealed class Agenda
{
    readonly PriorityQueue<Action<double>, (double Time, long Order)> _events = new();
    long _order;

    /// <summary>
    /// The ways between machines and to the store, whose transfers end before anything else that happens at the same time.
    /// </summary>
    public Link[] Links { get; init; } = [];

    /// <summary>Plans something.</summary>
    public void At(double time, Action<double> happens) => _events.Enqueue(happens, (time, _order++));

    /// <summary>Everything until a time happens.</summary>
    public void HappenUntil(double time)
    {
        while (true)
        {
            double next = _events.TryPeek(out _, out (double Time, long) at) ? at.Time : double.PositiveInfinity;
            Link? link = Links.MinBy(link => link.NextEnd);
            double end = link?.NextEnd ?? double.PositiveInfinity;
            if (Math.Min(next, end) is var first && (first > time || double.IsPositiveInfinity(first)))
                return;
            if (end <= next)
                link!.EndNext();
            else
                _events.Dequeue()(next);
        }
    }
}
