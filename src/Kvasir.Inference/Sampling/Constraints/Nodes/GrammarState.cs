using System.Collections.Immutable;

namespace Kvasir.Inference.Sampling.Constraints.Nodes;

/// <summary>One way to read the text so far: inside a terminal, with what may follow it.</summary>
readonly record struct Reading(Terminal Terminal, int State, int Count, Continuation Next);

/// <summary>All ways to read the text so far. At least one of them can be finished.</summary>
sealed class GrammarState(ImmutableArray<Reading> readings, bool isComplete)
{
    public ImmutableArray<Reading> Readings => readings;

    /// <summary>Whether the text may end here.</summary>
    public bool IsComplete => isComplete;

    /// <summary>Whether the other was reached with the same ways to go on; it may say no where two are equal by chance.</summary>
    public bool IsLike(GrammarState other) => IsComplete == other.IsComplete && Readings.AsSpan().SequenceEqual(other.Readings.AsSpan());
}
