using System.Collections.Immutable;

namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>Goes from state to state: collects the readings that a byte leaves and those that open where a terminal may end.</summary>
sealed class StateBuilder
{
    readonly Stack<Frame> _pending = [];
    readonly HashSet<Frame> _seen = [];
    readonly Dictionary<(Terminal, int State, int Count, int Depth), int> _places = [];
    readonly Dictionary<(Continuation, Continuation), Continuation> _unions = [];
    readonly List<Reading> _readings = [];
    bool _isComplete;

    /// <summary>The state before any text.</summary>
    public GrammarState? Start(GrammarNode root)
    {
        Push(new Frame(root, 0, Continuation.End));
        return Finish();
    }

    /// <summary>The state after one more byte; null if none is left.</summary>
    public GrammarState? Step(GrammarState state, byte value)
    {
        foreach (Reading reading in state.Readings)
        {
            (int at, int count) = (reading.State, reading.Count);
            if (reading.Terminal.TryStep(ref at, ref count, value))
                Add(reading with { State = at, Count = count });
        }
        return Finish();
    }

    /// <summary>The state after more text; null if it does not fit.</summary>
    public GrammarState? Read(GrammarState state, ReadOnlySpan<byte> text)
    {
        GrammarState? after = state;
        for (int i = 0; i < text.Length && after is not null; i++)
            after = Step(after, text[i]);
        return after;
    }

    /// <summary>The state where a continuation begins.</summary>
    public GrammarState? Begin(Continuation continuation)
    {
        Push(continuation);
        return Finish();
    }

    public void Push(Continuation continuation)
    {
        _isComplete |= continuation.CanEnd;
        foreach (Frame frame in continuation.Frames)
            Push(frame);
    }

    /// <summary>Opens a frame, unless it would nest too deep to be finished.</summary>
    public void Push(Frame frame)
    {
        if (frame.Node.Height <= Nested.MaxDepth - frame.Next.Depth && _seen.Add(frame))
            _pending.Push(frame);
    }

    /// <summary>Adds a reading, or what follows it to one that is at the same place.</summary>
    public void Add(Reading reading)
    {
        if (reading.Terminal.Automaton.Accepts(reading.State))
            Push(reading.Next);
        if (!reading.Terminal.Automaton.Continues(reading.State))
            return;
        if (_places.TryAdd((reading.Terminal, reading.State, reading.Count, reading.Next.Depth), _readings.Count))
            _readings.Add(reading);
        else
            Merge(_places[(reading.Terminal, reading.State, reading.Count, reading.Next.Depth)], reading.Next);
    }

    void Merge(int place, Continuation next) => _readings[place] = _readings[place] with { Next = _readings[place].Next.Or(next, _unions) };

    GrammarState? Finish()
    {
        while (_pending.TryPop(out Frame frame))
            frame.Node.Expand(this, frame.Position, frame.Next);
        GrammarState? state = _readings.Count > 0 || _isComplete ? new GrammarState([.. _readings], _isComplete) : null;
        _seen.Clear();
        _places.Clear();
        _unions.Clear();
        _readings.Clear();
        _isComplete = false;
        return state;
    }
}
