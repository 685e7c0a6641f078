using System.Text;

namespace Kvasir.Inference.Tokenization;

/// <summary>The bytes of all tokens in one run of memory: a hundred thousand small arrays would cost more than their content.</summary>
sealed class TokenBytes
{
    /// <summary>Far above any real vocabulary (two megabytes), far below where offsets overflow.</summary>
    const int MaxCharacters = 1 << 28;

    readonly byte[] _bytes;
    readonly int[] _ends;

    public TokenBytes(Vocabulary vocabulary, TokenTable table, TextEncoder encoder)
    {
        long characters = vocabulary.Tokens.Sum(text => (long)text.Length);
        if (characters > MaxCharacters) throw vocabulary.Invalid("tokens", $"{characters} characters", $"at most {MaxCharacters}");
        List<byte> bytes = new((int)characters);
        _ends = new int[table.Count];
        for (int id = 0; id < table.Count; id++)
        {
            Append(table.Text(id), table.Type(id), encoder, bytes);
            _ends[id] = bytes.Count;
        }
        _bytes = [.. bytes];
    }

    public ReadOnlySpan<byte> this[int token]
    {
        get
        {
            int start = token > 0 ? _ends[token - 1] : 0;
            return _bytes.AsSpan(start, _ends[token] - start);
        }
    }

    static void Append(string text, TokenType type, TextEncoder encoder, List<byte> bytes)
    {
        if (type == TokenType.Normal) encoder.Spell(text, bytes);
        else if (type == TokenType.UserDefined) bytes.AddRange(Encoding.UTF8.GetBytes(text));
        else if (type == TokenType.Byte && SentencePieceEncoder.TryParseByte(text, out byte value)) bytes.Add(value);
    }
}
