using System.Collections.Immutable;
using System.Text;
using Kvasir.Inference.Tokenization;

namespace Kvasir.TrainSaga;

/// <summary>
/// Byte-pair encoding, trained as Sennrich et al. describe (2016, arXiv 1508.07909): again and again the most frequent pair of neighbours
/// becomes one token. Ties go to the pair that sorts last, so equal texts give equal vocabularies.
/// </summary>
static class VocabularyTrainer
{
    public static readonly ImmutableArray<string> Controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

    /// <summary>
    /// Bytes first, then one token per merge until <paramref name="size"/> or until every word is one token, then the control tokens.
    /// </summary>
    public static Vocabulary Train(IEnumerable<string> texts, int size)
    {
        List<Word> words = Words(texts);
        List<string> merges = [];
        ImmutableArray<string>.Builder tokens = ImmutableArray.CreateBuilder<string>();
        tokens.AddRange(Enumerable.Range(0, 256).Select(value => ByteAlphabet.Character((byte)value).ToString()));
        while (tokens.Count < size - Controls.Length && MostFrequentPair(words) is { } pair)
        {
            merges.Add($"{pair.Left} {pair.Right}");
            tokens.Add(pair.Left + pair.Right);
            words.ForEach(word => word.Merge(pair));
        }
        tokens.AddRange(Controls);
        return From(tokens.ToImmutable(), [.. merges]);
    }

    /// <summary>A vocabulary in the form that a GGUF file gives it.</summary>
    public static Vocabulary From(ImmutableArray<string> tokens, ImmutableArray<string> merges) => new()
    {
        Source = "saga",
        Model = "gpt2",
        Pre = "qwen2",
        Tokens = tokens,
        Types = [.. tokens.Select(token => Controls.Contains(token) ? TokenType.Control : TokenType.Normal)],
        Merges = merges,
        Bos = tokens.IndexOf("<|endoftext|>"),
        Eos = tokens.IndexOf("<|im_end|>"),
        Eot = tokens.IndexOf("<|im_end|>"),
        AddBos = false,
    };

    static List<Word> Words(IEnumerable<string> texts)
    {
        PreTokenizer preTokenizer = PreTokenizers.Find("qwen2")!;
        Dictionary<string, long> counts = new(StringComparer.Ordinal);
        foreach (string text in texts)
        {
            int start = 0;
            foreach (int end in preTokenizer.Split(text))
            {
                string word = text[start..end];
                counts[word] = counts.GetValueOrDefault(word) + 1;
                start = end;
            }
        }
        return [.. counts.Select(entry => new Word(entry.Key, entry.Value))];
    }

    static (string Left, string Right)? MostFrequentPair(List<Word> words)
    {
        Dictionary<(string Left, string Right), long> counts = [];
        foreach (Word word in words)
            for (int i = 0; i + 1 < word.Parts.Count; i++)
                counts[(word.Parts[i], word.Parts[i + 1])] = counts.GetValueOrDefault((word.Parts[i], word.Parts[i + 1])) + word.Count;
        return counts.Count == 0
            ? null
            : counts.MaxBy(entry => (entry.Value, entry.Key), Comparer<(long, (string, string))>.Create(Compare)).Key;
    }

    static int Compare((long Count, (string Left, string Right) Pair) a, (long Count, (string Left, string Right) Pair) b) =>
        a.Count != b.Count ? a.Count.CompareTo(b.Count)
        : a.Pair.Left != b.Pair.Left ? string.CompareOrdinal(a.Pair.Left, b.Pair.Left)
        : string.CompareOrdinal(a.Pair.Right, b.Pair.Right);

    sealed class Word(string text, long count)
    {
        public List<string> Parts { get; } = [.. Encoding.UTF8.GetBytes(text).Select(value => ByteAlphabet.Character(value).ToString())];

        public long Count => count;

        public void Merge((string Left, string Right) pair)
        {
            for (int i = 0; i + 1 < Parts.Count; i++)
                if (Parts[i] == pair.Left && Parts[i + 1] == pair.Right)
                {
                    Parts[i] += pair.Right;
                    Parts.RemoveAt(i + 1);
                }
        }
    }
}
