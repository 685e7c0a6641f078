using System.Buffers;
using System.Text;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// Byte-level BPE: the bytes of each word are joined in the order of the vocabulary's merges. A byte without a token of its own is left
/// out, as in llama.cpp: real vocabularies (SmolLM2) lack control characters that their training text did not contain.
/// </summary>
sealed class BytePairEncoder : TextEncoder
{
    readonly TokenTable _table;
    readonly PreTokenizer _preTokenizer;
    readonly int[] _byteTokens = new int[256];
    readonly MergedPairs _pairs;
    readonly bool _wholeWordsFirst;

    public BytePairEncoder(Vocabulary vocabulary, TokenTable table, PreTokenizer preTokenizer)
    {
        (_table, _preTokenizer, _wholeWordsFirst) = (table, preTokenizer, preTokenizer.WholeWordsFirst || vocabulary.WholeWordsFirst);
        for (int value = 0; value < 256; value++)
            _byteTokens[value] = table.TryFindWritable([ByteAlphabet.Character((byte)value)], out int token) ? token : -1;
        if (_byteTokens.All(token => token < 0)) throw vocabulary.Invalid("tokens", "no token of a single byte", "one for each byte");
        _pairs = new MergedPairs(Merges.Read(vocabulary, table));
    }

    public override void Encode(ReadOnlySpan<char> text, bool addsSpace, List<int> tokens)
    {
        var merger = new Merger();
        int start = 0;
        foreach (int end in _preTokenizer.Split(text))
        {
            EncodeWord(text[start..end], merger, tokens);
            start = end;
        }
    }

    public override void Spell(string text, List<byte> bytes)
    {
        Span<byte> utf8 = stackalloc byte[4];
        foreach (Rune rune in text.EnumerateRunes())
            if (rune.IsBmp && ByteAlphabet.TryGetByte((char)rune.Value, out byte value)) bytes.Add(value);
            else bytes.AddRange(utf8[..rune.EncodeToUtf8(utf8)]);
    }

    void EncodeWord(ReadOnlySpan<char> word, Merger merger, List<int> tokens)
    {
        byte[] rented = ArrayPool<byte>.Shared.Rent(Encoding.UTF8.GetMaxByteCount(word.Length));
        Span<byte> bytes = rented.AsSpan(0, Encoding.UTF8.GetBytes(word, rented));
        if (_wholeWordsFirst && TryFindWord(bytes, out int whole)) tokens.Add(whole);
        else Merge(bytes, merger, tokens);
        ArrayPool<byte>.Shared.Return(rented);
    }

    void Merge(ReadOnlySpan<byte> bytes, Merger merger, List<int> tokens)
    {
        merger.Clear();
        for (int i = 0; i < bytes.Length; i++)
            merger.Add(i, 1, _byteTokens[bytes[i]]);
        merger.Run(_pairs);
        for (int i = merger.First; i >= 0; i = merger[i].Next)
            if (merger[i].Token >= 0)
                tokens.Add(merger[i].Token);
    }

    bool TryFindWord(ReadOnlySpan<byte> bytes, out int token)
    {
        char[] rented = ArrayPool<char>.Shared.Rent(bytes.Length);
        for (int i = 0; i < bytes.Length; i++)
            rented[i] = ByteAlphabet.Character(bytes[i]);
        bool found = _table.TryFindWritable(rented.AsSpan(0, bytes.Length), out token);
        ArrayPool<char>.Shared.Return(rented);
        return found;
    }
}
