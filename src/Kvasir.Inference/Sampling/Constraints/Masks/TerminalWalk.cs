using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Masks;

/// <summary>Walks the trie with a terminal's automaton.</summary>
readonly ref struct TerminalWalk(TokenTrie trie, TerminalPlace place)
{
    const int Short = 512; // nodes: as fast as looking up what was remembered

    /// <param name="tookLong">Whether the result is worth remembering.</param>
    public TerminalTokens Run(out bool tookLong)
    {
        List<int> inside = [], exits = [];
        int visited = Visit(inside, exits);
        tookLong = visited > Short;
        return new TerminalTokens(inside, exits, trie.Tokenizer.VocabularySize);
    }

    int Visit(List<int> inside, List<int> exits)
    {
        Terminal terminal = new(place.Automaton, place.Least, place.Most);
        ReadOnlySpan<byte> labels = trie.Labels;
        ReadOnlySpan<int> ends = trie.NodeEnds, depths = trie.Depths;
        var places = new (int State, int Count)[trie.LongestToken + 1]; // by depth
        places[0] = (place.State, 0);
        int visited = 0;
        for (int node = 1; node < labels.Length; visited++)
        {
            (int state, int count) = places[depths[node] - 1];
            if (!terminal.TryStep(ref state, ref count, labels[node]))
            {
                node = ends[node];
                continue;
            }
            places[depths[node]] = (state, count);
            inside.AddRange(trie.TokensAt(node));
            if (place.Automaton.Accepts(state) && ends[node] > node + 1)
                exits.Add(node);
            node++;
        }
        return visited;
    }
}
