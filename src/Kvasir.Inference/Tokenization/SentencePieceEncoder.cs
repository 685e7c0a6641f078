using System.Buffers;
using System.Globalization;
using System.Text;
using Kvasir.Formats;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// SentencePiece's BPE: characters are joined, best score first, as long as the joined text is a piece, or as merges say where there are no
/// scores; what is no piece is spelt in bytes. Spaces are written ▁, and one goes before the text.
/// </summary>
sealed class SentencePieceEncoder : TextEncoder
{
    const char Space = '▁';

    readonly TokenTable _table;
    readonly Dictionary<long, Merge>? _merges;
    readonly int[] _ranks;
    readonly int[] _byteTokens;

    public SentencePieceEncoder(Vocabulary vocabulary, TokenTable table)
    {
        _table = table;
        _merges = vocabulary.Merges.IsEmpty ? null : Merges.Read(vocabulary, table);
        _ranks = RanksOf(vocabulary);
        _byteTokens = ByteTokens(vocabulary, table);
    }

    public override void Encode(ReadOnlySpan<char> text, bool addsSpace, List<int> tokens)
    {
        char[] rented = ArrayPool<char>.Shared.Rent(text.Length + 1);
        int prefix = addsSpace ? 1 : 0;
        rented[0] = Space;
        text.Replace(rented.AsSpan(prefix), ' ', Space);
        Merge(rented.AsSpan(0, text.Length + prefix), tokens);
        ArrayPool<char>.Shared.Return(rented);
    }

    public override void Spell(string text, List<byte> bytes) => bytes.AddRange(Encoding.UTF8.GetBytes(text.Replace(Space, ' ')));

    /// <summary>The byte that a token spelt <c>&lt;0x0A&gt;</c> stands for.</summary>
    public static bool TryParseByte(string text, out byte value)
    {
        value = 0;
        return text.Length == 6 && text.StartsWith("<0x", StringComparison.Ordinal) && text[5] == '>'
            && byte.TryParse(text.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    void Merge(ReadOnlySpan<char> text, List<int> tokens)
    {
        var merger = new Merger();
        int start = 0;
        foreach (Rune rune in text.EnumerateRunes())
        {
            int length = rune.Utf16SequenceLength;
            merger.Add(start, length, _table.TryFindWritable(text.Slice(start, length), out int token) ? token : -1);
            start += length;
        }
        if (_merges is null)
            merger.Run(new Pairs(text, _table, _ranks));
        else
            merger.Run(new MergedPairs(_merges));
        for (int i = merger.First; i >= 0; i = merger[i].Next)
            if (merger[i].Token >= 0) tokens.Add(merger[i].Token);
            else AddBytes(text.Slice(merger[i].Start, merger[i].Length), tokens);
    }

    void AddBytes(ReadOnlySpan<char> text, List<int> tokens)
    {
        Span<byte> bytes = stackalloc byte[4];
        foreach (byte value in bytes[..Encoding.UTF8.GetBytes(text, bytes)])
            tokens.Add(_byteTokens[value]);
    }

    /// <summary>The place of each token when scores fall; equal scores share a place, so that position decides between them.</summary>
    static int[] RanksOf(Vocabulary vocabulary)
    {
        int count = vocabulary.Tokens.Length;
        var ranks = new int[count];
        if (vocabulary.Scores.IsEmpty) return ranks;
        float[] scores = vocabulary.Scores.AsSpan(0, count).ToArray();
        int[] tokens = [.. Enumerable.Range(0, count)];
        Array.Sort(scores, tokens);
        for (int i = count - 2; i >= 0; i--)
            ranks[tokens[i]] = ranks[tokens[i + 1]] + (scores[i].Equals(scores[i + 1]) ? 0 : 1);
        return ranks;
    }

    static int[] ByteTokens(Vocabulary vocabulary, TokenTable table)
    {
        int unknown = table.Unknown ?? -1;
        var tokens = new int[256];
        Array.Fill(tokens, unknown);
        for (int id = 0; id < table.Count; id++)
            if (table.Type(id) == TokenType.Byte)
                tokens[ByteOf(vocabulary, id)] = id;
        int missing = Array.IndexOf(tokens, -1);
        if (missing < 0) return tokens;
        throw vocabulary.Invalid("tokens", $"neither a token <0x{missing:X2}> nor an unknown token", "one of them, for text in no piece");
    }

    static byte ByteOf(Vocabulary vocabulary, int id) => TryParseByte(vocabulary.Tokens[id], out byte value)
        ? value
        : throw vocabulary.Invalid("tokens", $"{Printable.Quote(vocabulary.Tokens[id])} at index {id}, of type byte", "the form <0x0A>");

    readonly ref struct Pairs(ReadOnlySpan<char> text, TokenTable table, int[] ranks) : IPairs
    {
        readonly ReadOnlySpan<char> _text = text;

        public bool TryJoin(in Symbol left, in Symbol right, out int rank, out int token)
        {
            bool found = table.TryFindWritable(_text.Slice(left.Start, left.Length + right.Length), out token);
            rank = found ? ranks[token] : 0;
            return found;
        }
    }
}
