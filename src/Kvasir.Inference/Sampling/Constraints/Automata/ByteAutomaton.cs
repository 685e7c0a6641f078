namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>
/// A deterministic automaton over bytes that begins in state 0. From every state that it reaches, an accepting one can be reached.
/// </summary>
sealed class ByteAutomaton
{
    /// <summary>The state after a byte that fits nothing.</summary>
    public const int Dead = -1;

    readonly byte[] _classes; // [256]
    readonly int _classCount;
    readonly int[] _next; // [state][class]
    readonly bool[] _accepts;
    readonly bool[] _continues;

    /// <summary>Takes the tables; where a transition leads to no accepting state it becomes dead.</summary>
    /// <param name="classes">[256]: the class of each byte.</param>
    /// <param name="next">[state][class]: the state after it, or <see cref="Dead"/>.</param>
    /// <param name="accepts">[state]</param>
    public ByteAutomaton(byte[] classes, int[] next, bool[] accepts)
    {
        (_classes, _next, _accepts) = (classes, next, accepts);
        _classCount = next.Length / accepts.Length;
        bool[] finishes = Finishing();
        IsEmpty = !finishes[0];
        for (int i = 0; i < _next.Length; i++)
            if (_next[i] != Dead && !finishes[_next[i]])
                _next[i] = Dead;
        _continues =
            [.. Enumerable.Range(0, States).Select(state => _next.AsSpan(state * _classCount, _classCount).ContainsAnyExcept(Dead))];
    }

    public static ByteAutomaton From(ByteExpression expression, WorkLimit? limit = null) =>
        Determinizer.Run(expression, limit ?? new WorkLimit(WorkLimit.PerGrammar));

    public int States => _accepts.Length;

    /// <summary>Whether no text fits.</summary>
    public bool IsEmpty { get; }

    /// <summary>The state after a byte, or <see cref="Dead"/>.</summary>
    public int this[int state, byte value] => _next[state * _classCount + _classes[value]];

    public bool Accepts(int state) => _accepts[state];

    /// <summary>Whether any byte fits.</summary>
    public bool Continues(int state) => _continues[state];

    public byte ClassOf(int value) => _classes[value];

    public bool Matches(ReadOnlySpan<byte> text)
    {
        int state = 0;
        for (int i = 0; i < text.Length && state != Dead; i++)
            state = this[state, text[i]];
        return state != Dead && _accepts[state];
    }

    /// <summary>
    /// The item any number of times, then a byte that ends it. State 0 lies between items. No item may begin
    /// another, or begin with that byte.
    /// </summary>
    public static ByteAutomaton Loop(ByteAutomaton item, byte end)
    {
        int final = item.States;
        int[] next = [.. Enumerable.Repeat(Dead, 256 * (final + 1))];
        for (int state = 0; state < final; state++)
            for (int value = 0; value < 256; value++)
                next[256 * state + value] = item[state, (byte)value] is var to && to != Dead && item.Accepts(to) ? 0 : to;
        next[end] = final;
        return new ByteAutomaton([.. Enumerable.Range(0, 256).Select(value => (byte)value)], next,
            [.. Enumerable.Range(0, final + 1).Select(state => state == final)]);
    }

    /// <summary>The states from which an accepting one can be reached.</summary>
    bool[] Finishing()
    {
        ILookup<int, int> before = Enumerable.Range(0, _next.Length).Where(i => _next[i] != Dead)
            .ToLookup(i => _next[i], i => i / _classCount);
        bool[] finishes = [.. _accepts];
        Stack<int> pending = new(Enumerable.Range(0, States).Where(state => finishes[state]));
        while (pending.TryPop(out int state))
            foreach (int earlier in before[state])
                if (!finishes[earlier])
                {
                    finishes[earlier] = true;
                    pending.Push(earlier);
                }
        return finishes;
    }
}
