namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>Two automata that read the same text.</summary>
sealed class AutomatonProduct
{
    readonly ByteAutomaton _left, _right;
    readonly bool _excludes;
    readonly WorkLimit _limit;
    readonly Dictionary<(int Left, int Right), int> _ids = [];
    readonly List<(int Left, int Right)> _states = [];

    AutomatonProduct(ByteAutomaton left, ByteAutomaton right, bool excludes, WorkLimit limit) =>
        (_left, _right, _excludes, _limit) = (left, right, excludes, limit);

    /// <summary>The texts that fit both.</summary>
    public static ByteAutomaton Both(ByteAutomaton left, ByteAutomaton right, WorkLimit limit) =>
        new AutomatonProduct(left, right, false, limit).Run();

    /// <summary>The texts that fit the left one and not the right one.</summary>
    public static ByteAutomaton Except(ByteAutomaton left, ByteAutomaton right, WorkLimit limit) =>
        new AutomatonProduct(left, right, true, limit).Run();

    ByteAutomaton Run()
    {
        (byte[] classes, List<byte> members) = Classes();
        List<int> next = [];
        IdOf(0, 0);
        for (int state = 0; state < _states.Count; state++)
            foreach (byte member in members)
                next.Add(Next(_states[state], member));
        return new ByteAutomaton(classes, [.. next], [.. _states.Select(Accepts)]);
    }

    int Next((int Left, int Right) state, byte value)
    {
        _limit.Spend(1);
        int left = _left[state.Left, value], right = state.Right == ByteAutomaton.Dead ? state.Right : _right[state.Right, value];
        return left == ByteAutomaton.Dead || (right == ByteAutomaton.Dead && !_excludes) ? ByteAutomaton.Dead : IdOf(left, right);
    }

    bool Accepts((int Left, int Right) state) =>
        _left.Accepts(state.Left) && (state.Right != ByteAutomaton.Dead && _right.Accepts(state.Right)) != _excludes;

    int IdOf(int left, int right)
    {
        if (!_ids.TryGetValue((left, right), out int id))
        {
            _ids[(left, right)] = id = _states.Count;
            _states.Add((left, right));
        }
        return id;
    }

    /// <summary>A class for each pair of classes that some byte has, and that byte.</summary>
    (byte[] Classes, List<byte> Members) Classes()
    {
        Dictionary<(byte, byte), byte> pairs = [];
        List<byte> members = [];
        byte[] classes = new byte[256];
        for (int value = 0; value < 256; value++)
        {
            if (pairs.TryAdd((_left.ClassOf(value), _right.ClassOf(value)), (byte)pairs.Count))
                members.Add((byte)value);
            classes[value] = pairs[(_left.ClassOf(value), _right.ClassOf(value))];
        }
        return (classes, members);
    }
}
