using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Masks;

/// <summary>
/// What decides which tokens fit inside a terminal: its automaton, the state and how many items are still needed and allowed. Counts beyond
/// what one token can hold are all the same.
/// </summary>
/// <param name="Automaton">The terminal's; terminals of different grammars may share it.</param>
/// <param name="State">The automaton's.</param>
/// <param name="Least">Items still needed.</param>
/// <param name="Most">Items still allowed.</param>
readonly record struct TerminalPlace(ByteAutomaton Automaton, int State, int Least, int Most)
{
    public static TerminalPlace Of(Reading reading, int longestToken)
    {
        (Terminal terminal, int count) = (reading.Terminal, reading.Count);
        int most = terminal.Most == int.MaxValue ? int.MaxValue : terminal.Most - count;
        return new(terminal.Automaton, reading.State, Math.Clamp(terminal.Least - count, 0, longestToken + 1),
            most > longestToken ? int.MaxValue : most);
    }
}
