using System.Collections.Concurrent;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Sampling.Constraints.Masks;

/// <summary>
/// The tokens of a vocabulary in the order of their bytes, as a tree: tokens that begin alike are looked at together. Make one for each
/// tokenizer and share it; it remembers which tokens fit where. Safe for use from many threads.
/// </summary>
public sealed class TokenTrie
{
    /// <summary>
    /// No token of more bytes is ever allowed: real ones have at most a few hundred, and shorter ones can spell the same.
    /// </summary>
    public const int MaxTokenBytes = 512;

    const int MaxRemembered = 1024; // token sets, of up to one bit for each token

    readonly ConcurrentDictionary<TerminalPlace, TerminalTokens> _remembered = [];
    readonly byte[] _labels; // [node]: the last byte of the node's text; nodes come before those that they begin
    readonly int[] _ends; // [node]: the first node behind those that it begins
    readonly int[] _depths; // [node]: bytes of its text; the root, node 0, has none
    readonly int[] _firstTokens; // [node]: where its tokens begin
    readonly int[] _tokens; // by node

    /// <summary>Sorts the vocabulary. Control tokens and others without bytes are left out.</summary>
    public TokenTrie(Tokenizer tokenizer)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        Tokenizer = tokenizer;
        _tokens = [.. Enumerable.Range(0, tokenizer.VocabularySize).Where(IsText)];
        Array.Sort(_tokens,
            (x, y) => tokenizer.Bytes(x).SequenceCompareTo(tokenizer.Bytes(y)) is var order and not 0 ? order : x.CompareTo(y));
        (_labels, _depths, _firstTokens) = Nodes();
        _ends = Ends(_depths);
        LongestToken = _depths.Max();
    }

    /// <summary>The vocabulary.</summary>
    public Tokenizer Tokenizer { get; }

    internal int NodeCount => _labels.Length;

    /// <summary>In bytes.</summary>
    internal int LongestToken { get; }

    internal ReadOnlySpan<byte> Labels => _labels;

    internal ReadOnlySpan<int> NodeEnds => _ends;

    internal ReadOnlySpan<int> Depths => _depths;

    /// <summary>The tokens of exactly a node's text.</summary>
    internal ReadOnlySpan<int> TokensAt(int node) =>
        _tokens.AsSpan(_firstTokens[node], (node + 1 < NodeCount ? _firstTokens[node + 1] : _tokens.Length) - _firstTokens[node]);

    /// <summary>Which tokens fit at a place in a terminal, remembered where it took long to find out.</summary>
    internal TerminalTokens TokensOf(TerminalPlace place)
    {
        if (_remembered.TryGetValue(place, out TerminalTokens? tokens))
            return tokens;
        tokens = new TerminalWalk(this, place).Run(out bool tookLong);
        if (!tookLong)
            return tokens;
        if (_remembered.Count >= MaxRemembered)
            _remembered.Clear();
        return _remembered[place] = tokens;
    }

    bool IsText(int token) => Tokenizer.Bytes(token).Length is > 0 and <= MaxTokenBytes && !Tokenizer.Ends.Contains(token);

    (byte[] Labels, int[] Depths, int[] FirstTokens) Nodes()
    {
        List<byte> labels = [0];
        List<int> depths = [0], firstTokens = [0];
        ReadOnlySpan<byte> last = [];
        for (int i = 0; i < _tokens.Length; i++)
        {
            ReadOnlySpan<byte> bytes = Tokenizer.Bytes(_tokens[i]);
            for (int depth = last.CommonPrefixLength(bytes); depth < bytes.Length; depth++)
            {
                labels.Add(bytes[depth]);
                depths.Add(depth + 1);
                firstTokens.Add(i);
            }
            last = bytes;
        }
        return ([.. labels], [.. depths], [.. firstTokens]);
    }

    static int[] Ends(int[] depths)
    {
        int[] ends = new int[depths.Length];
        Stack<int> open = [];
        for (int node = 0; node <= depths.Length; node++)
        {
            while (open.TryPeek(out int last) && (node == depths.Length || depths[last] >= depths[node]))
                ends[open.Pop()] = node;
            open.Push(node);
        }
        return ends;
    }
}
