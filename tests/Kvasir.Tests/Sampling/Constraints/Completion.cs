using System.Text;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Masks;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Tests.Sampling.Constraints;

/// <summary>Completions by models that know nothing: random logits under the mask.</summary>
sealed class Completion(OutputGrammar grammar, TokenTrie trie, Random random, bool dropsLeadingSpace = false)
{
    readonly float[] _logits = new float[trie.Tokenizer.VocabularySize];
    readonly int[] _closings = new int[trie.Tokenizer.VocabularySize]; // how often each token was drawn to close
    readonly List<int> _tokens = [];

    public ConstrainedText Text { get; } = new(grammar, trie, dropsLeadingSpace);

    public IReadOnlyList<int> Tokens => _tokens;

    public byte[] Bytes => [.. _tokens.SelectMany(token => trie.Tokenizer.Bytes(token).ToArray())];

    /// <summary>
    /// Draws until an end is drawn. After some tokens, whatever closes is preferred; a text that then does not end has met a dead end.
    /// </summary>
    public string Run(int wandering = 40, int most = 4000)
    {
        while (!Text.HasEnded)
        {
            if (_tokens.Count == most)
                Assert.Fail($"no end after {most} tokens: {Encoding.UTF8.GetString(Bytes)}");
            Step(closing: _tokens.Count >= wandering);
        }
        return new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(Bytes);
    }

    public void Step(bool closing)
    {
        for (int token = 0; token < _logits.Length; token++)
            _logits[token] = random.NextSingle() + (closing ? Closing(token) : 0);
        Text.Mask(_logits);
        int best = Enumerable.Range(0, _logits.Length).MaxBy(token => _logits[token]);
        Text.Accept(best);
        _closings[best] += closing ? 1 : 0;
        if (!Text.HasEnded)
            _tokens.Add(best);
    }

    /// <summary>Other single bytes come in turn, so that what a pattern waits for comes before long.</summary>
    float Closing(int token) => trie.Tokenizer.Ends.Contains(token) ? 9 : Encoding.Latin1.GetString(trie.Tokenizer.Bytes(token)) switch
    {
        "\"" => 8,
        "}" or "]" => 7 - _closings[token] / 16f,
        "null" or "n" or "u" or "l" or "0" => 6 - _closings[token] / 16f,
        "{" or "[" => -50,
        { Length: 1 } => 3 - _closings[token],
        _ => 0 - _closings[token],
    };
}
