using System.Runtime.CompilerServices;

namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>
/// A nondeterministic automaton. A state takes a byte of its range and goes on to the next, or, where the range is empty, goes to either of
/// two others without one. Thompson, "Regular Expression Search Algorithm", 1968.
/// </summary>
sealed class ByteNfa
{
    public const int End = 0, None = -1;

    public readonly record struct State(int First, int Last, int Next, int Other)
    {
        public bool TakesByte => First <= Last;
    }

    readonly WorkLimit _limit;
    readonly List<State> _states = [new(1, 0, None, None)];

    public ByteNfa(ByteExpression expression, WorkLimit limit)
    {
        _limit = limit;
        Start = Build(expression, End);
    }

    public int Start { get; }

    public IReadOnlyList<State> States => _states;

    /// <summary>Adds an expression that is followed by a state; returns the state that it begins with.</summary>
    int Build(ByteExpression expression, int next)
    {
        if (!RuntimeHelpers.TryEnsureSufficientExecutionStack())
            throw new GrammarTooLargeException();
        _limit.Spend(4); // also for what adds no state: nothing, a hundred thousand times, is work too
        return expression switch
        {
            ByteRange range => Add(new(range.First, range.Last, next, None)),
            Concatenation sequence => sequence.Parts.Reverse().Aggregate(next, (after, part) => Build(part, after)),
            Alternation choice =>
                choice.Options.Reverse().Aggregate(Split(None, None), (other, option) => Split(Build(option, next), other)),
            Repeated repeated => Repeat(repeated, next),
            _ => throw new ArgumentOutOfRangeException(nameof(expression)),
        };
    }

    int Repeat(Repeated repeated, int next)
    {
        int start = repeated.Most is null ? Loop(repeated.Item, next) : next;
        for (int i = repeated.Least; i < repeated.Most; i++)
            start = Split(Build(repeated.Item, start), next);
        for (int i = 0; i < repeated.Least; i++)
            start = Build(repeated.Item, start);
        return start;
    }

    int Loop(ByteExpression item, int next)
    {
        int loop = Split(None, next);
        _states[loop] = _states[loop] with { Next = Build(item, loop) };
        return loop;
    }

    int Split(int next, int other) => Add(new(1, 0, next, other));

    int Add(State state)
    {
        _limit.Spend(8);
        _states.Add(state);
        return _states.Count - 1;
    }
}
