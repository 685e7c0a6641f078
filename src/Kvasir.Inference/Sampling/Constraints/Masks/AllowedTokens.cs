using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Masks;

/// <summary>
/// The tokens that may come in a state of a grammar. Most are found inside a terminal and remembered in the trie; only those that go on
/// behind the terminal's end are read with all of the grammar.
/// </summary>
sealed class AllowedTokens(TokenTrie trie, StateBuilder builder)
{
    /// <summary>A state and those that follow it, as far as they were asked for.</summary>
    sealed class Step(GrammarState state)
    {
        public GrammarState State => state;

        public Dictionary<byte, Step?> Next { get; } = [];
    }

    readonly Dictionary<Continuation, Step> _begun = [];

    public TokenSet Set { get; } = new(trie.Tokenizer.VocabularySize);

    /// <summary>Finds the tokens of a state.</summary>
    public void Find(GrammarState state)
    {
        Set.Clear();
        foreach (Reading reading in state.Readings)
        {
            TerminalTokens tokens = trie.TokensOf(TerminalPlace.Of(reading, trie.LongestToken));
            tokens.AddTo(Set);
            foreach (int exit in tokens.Exits)
                Visit(exit, Begin(reading.Next));
        }
        _begun.Clear();
        AddEnds(state);
    }

    /// <summary>The same where the decoder will drop one space at the beginning of the first token.</summary>
    public void FindFirst(GrammarState state)
    {
        Set.Clear();
        Step start = new(state);
        for (int node = 1; node < trie.NodeCount; node = trie.NodeEnds[node])
            if ((trie.Labels[node] == ' ' && !state.Readings.IsEmpty ? start : After(start, trie.Labels[node])) is { } step)
            {
                Set.Add(trie.TokensAt(node));
                Visit(node, step);
            }
        AddEnds(state);
    }

    void AddEnds(GrammarState state)
    {
        if (state.IsComplete)
            foreach (int token in trie.Tokenizer.Ends)
                Set.Add(token);
    }

    /// <summary>Adds the tokens that go on from a node whose text has been read.</summary>
    void Visit(int node, Step step)
    {
        for (int child = node + 1; child < trie.NodeEnds[node]; child = trie.NodeEnds[child])
            if (After(step, trie.Labels[child]) is { } next)
            {
                Set.Add(trie.TokensAt(child));
                Visit(child, next);
            }
    }

    Step? After(Step step, byte value)
    {
        if (!step.Next.TryGetValue(value, out Step? next))
            step.Next[value] = next = builder.Step(step.State, value) is { } state ? new Step(state) : null;
        return next;
    }

    Step Begin(Continuation continuation)
    {
        if (!_begun.TryGetValue(continuation, out Step? begun))
            _begun[continuation] = begun = new Step(builder.Begin(continuation)!);
        return begun;
    }
}
