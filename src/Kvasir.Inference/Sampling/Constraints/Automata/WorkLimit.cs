namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>How much work a grammar's automata may still cost: a short pattern can have an automaton without bounds.</summary>
sealed class WorkLimit(long left)
{
    /// <summary>Steps of about ten nanoseconds, some hundred milliseconds in all.</summary>
    public const long PerGrammar = 20_000_000;

    /// <summary>Takes some of the work that is left.</summary>
    /// <exception cref="GrammarTooLargeException">Less was left.</exception>
    public void Spend(long amount)
    {
        left -= amount;
        if (left < 0)
            throw new GrammarTooLargeException();
    }
}

/// <summary>A grammar costs more than it may; whoever knows which part it was says so.</summary>
sealed class GrammarTooLargeException : Exception;
