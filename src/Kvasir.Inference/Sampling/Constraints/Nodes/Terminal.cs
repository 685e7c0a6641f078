using Kvasir.Inference.Sampling.Constraints.Automata;

namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>
/// A stretch of text that an automaton reads. A loop over items may be counted: then the automaton comes back to state 0 after each item,
/// and what ends it may come only after enough of them. A count costs no states, however high it goes.
/// </summary>
sealed class Terminal : GrammarNode
{
    readonly int _counted; // up to this number the count matters

    public Terminal(ByteAutomaton automaton, int least = 0, int most = int.MaxValue)
    {
        (Automaton, Least, Most) = (automaton, least, most);
        _counted = most == int.MaxValue ? least : most;
        Settle();
    }

    public ByteAutomaton Automaton { get; }

    public int Least { get; }

    public int Most { get; }

    protected override int Measure() => Automaton.IsEmpty || Least > Most ? Endless : 0;

    public override void Expand(StateBuilder builder, int position, Continuation next) => builder.Add(new Reading(this, 0, 0, next));

    /// <summary>Takes a byte, if it fits.</summary>
    public bool TryStep(ref int state, ref int count, byte value)
    {
        int next = Automaton[state, value];
        if (next == ByteAutomaton.Dead || (state == 0 && (Automaton.Accepts(next) ? count < Least : count == Most)))
            return false;
        if (next == 0)
            count = Math.Min(count + 1, _counted);
        state = next;
        return true;
    }
}
