namespace Kvasir.Inference.Sampling.Constraints.Masks;

/// <summary>The tokens that fit inside a terminal from some place on, whatever follows the terminal.</summary>
/// <param name="inside">In no order.</param>
/// <param name="exits">The nodes of the trie where the terminal may have ended, but a token goes on.</param>
/// <param name="vocabulary">The number of tokens.</param>
sealed class TerminalTokens(List<int> inside, List<int> exits, int vocabulary)
{
    readonly int[]? _few = inside.Count < vocabulary / 64 ? [.. inside] : null;
    readonly ulong[]? _many = inside.Count < vocabulary / 64 ? null : Bits(inside, vocabulary);
    readonly int[] _exits = [.. exits];

    public ReadOnlySpan<int> Exits => _exits;

    public void AddTo(TokenSet set)
    {
        if (_many is not null)
            set.Add(_many);
        else
            set.Add(_few);
    }

    static ulong[] Bits(List<int> tokens, int vocabulary)
    {
        ulong[] bits = new ulong[(vocabulary + 63) / 64];
        foreach (int token in tokens)
            bits[token >> 6] |= 1UL << token;
        return bits;
    }
}
