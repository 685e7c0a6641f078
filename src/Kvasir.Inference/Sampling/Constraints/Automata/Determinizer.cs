namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>Makes automata deterministic: each state stands for a set of states of the nondeterministic one.</summary>
sealed class Determinizer
{
    readonly ByteNfa _nfa;
    readonly WorkLimit _limit;
    readonly byte[] _classes; // [256]: bytes that no range tells apart have one class, in the order of the bytes
    readonly List<int>[] _targets; // by class
    readonly Dictionary<int[], int> _ids = new(new SetComparer());
    readonly List<int[]> _sets = [];
    readonly List<int> _next = [];
    readonly int[] _seen; // by state, the closure that saw it last
    readonly Stack<int> _pending = [];
    int _closure;

    Determinizer(ByteExpression expression, WorkLimit limit)
    {
        _nfa = new ByteNfa(expression, limit);
        _limit = limit;
        _classes = Classes(_nfa);
        _targets = [.. Enumerable.Range(0, _classes[255] + 1).Select(_ => new List<int>())];
        _seen = new int[_nfa.States.Count];
    }

    public static ByteAutomaton Run(ByteExpression expression, WorkLimit limit) => new Determinizer(expression, limit).Run();

    ByteAutomaton Run()
    {
        IdOf([_nfa.Start]);
        for (int state = 0; state < _sets.Count; state++)
            Expand(_sets[state]);
        return new ByteAutomaton(_classes, [.. _next], [.. _sets.Select(set => set.Contains(ByteNfa.End))]);
    }

    void Expand(int[] set)
    {
        foreach (int member in set)
            if (_nfa.States[member] is { TakesByte: true } state)
                for (int c = _classes[state.First]; c <= _classes[state.Last]; c++)
                    _targets[c].Add(state.Next);
        foreach (List<int> targets in _targets)
        {
            _limit.Spend(1 + targets.Count);
            _next.Add(targets.Count == 0 ? ByteAutomaton.Dead : IdOf(targets));
            targets.Clear();
        }
    }

    int IdOf(List<int> states)
    {
        int[] set = Closure(states);
        if (_ids.TryGetValue(set, out int id))
            return id;
        _sets.Add(set);
        return _ids[set] = _sets.Count - 1;
    }

    /// <summary>The states that are reached without a byte and that matter: they take one or are the end.</summary>
    int[] Closure(List<int> states)
    {
        _closure++;
        List<int> reached = [];
        foreach (int state in states)
            Visit(state);
        while (_pending.TryPop(out int at))
        {
            ByteNfa.State state = _nfa.States[at];
            if (state.TakesByte || at == ByteNfa.End)
                reached.Add(at);
            else
            {
                Visit(state.Next);
                Visit(state.Other);
            }
        }
        reached.Sort();
        return [.. reached];
    }

    void Visit(int state)
    {
        if (state == ByteNfa.None || _seen[state] == _closure)
            return;
        _limit.Spend(1);
        _seen[state] = _closure;
        _pending.Push(state);
    }

    static byte[] Classes(ByteNfa nfa)
    {
        bool[] begins = new bool[257];
        foreach (ByteNfa.State state in nfa.States)
            if (state.TakesByte)
                begins[state.First] = begins[state.Last + 1] = true;
        byte[] classes = new byte[256];
        for (int value = 1; value < 256; value++)
            classes[value] = (byte)(classes[value - 1] + (begins[value] ? 1 : 0));
        return classes;
    }

    sealed class SetComparer : IEqualityComparer<int[]>
    {
        public bool Equals(int[]? x, int[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode(int[] set)
        {
            HashCode hash = new();
            foreach (int state in set)
                hash.Add(state);
            return hash.ToHashCode();
        }
    }
}
