using System.Collections.Frozen;

namespace Kvasir.Inference.Tokenization;

/// <summary>A vocabulary that has been checked, with its tokens found by spelling and their final types.</summary>
sealed class TokenTable
{
    /// <summary>
    /// Tokens that end generation whatever the file's ids say: many files name only one of several, and a missed one makes a model
    /// talk on as the user.
    /// </summary>
    static readonly FrozenSet<string> s_enders = FrozenSet.ToFrozenSet(
    [
        "</s>", "<eos>", "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<|return|>", "<|call|>",
        "<|endoftext|>", "<|end_of_text|>", "<end_of_turn>", "<end_of_utterance>", "<｜end▁of▁sentence｜>",
    ]);

    /// <summary>What frames a turn must be out of a user's reach, also where a file calls it ordinary text.</summary>
    static readonly FrozenSet<string> s_frames =
        FrozenSet.ToFrozenSet(["<|im_start|>", "<|start_header_id|>", "<|end_header_id|>", "<|begin_of_text|>"]);

    readonly Vocabulary _vocabulary;
    readonly TokenType[] _types;
    readonly Dictionary<string, int> _ids;
    readonly Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> _idsBySpan;

    public TokenTable(Vocabulary vocabulary)
    {
        _vocabulary = vocabulary;
        CheckLengths();
        _ids = new Dictionary<string, int>(vocabulary.Tokens.Length, StringComparer.Ordinal);
        // Real vocabularies repeat a spelling now and then; the last one wins, as in llama.cpp.
        for (int id = 0; id < Count; id++)
            _ids[vocabulary.Tokens[id]] = id;
        _idsBySpan = _ids.GetAlternateLookup<ReadOnlySpan<char>>();
        _types = FinalTypes();
        Bos = Checked("bos_token_id", vocabulary.Bos, fallback: 1);
        Eos = Checked("eos_token_id", vocabulary.Eos, fallback: 2);
        Unknown = Checked("unknown_token_id", vocabulary.Unknown, fallback: 0);
        Eot = Checked("eot_token_id", vocabulary.Eot);
        Eom = Checked("eom_token_id", vocabulary.Eom);
        Pad = Checked("padding_token_id", vocabulary.Pad);
        Ends = FindEnds();
    }

    public int Count => _vocabulary.Tokens.Length;
    public int? Bos { get; }
    public int? Eos { get; }
    public int? Eot { get; }
    public int? Eom { get; }
    public int? Unknown { get; }
    public int? Pad { get; }
    public FrozenSet<int> Ends { get; }

    public string Text(int token) => _vocabulary.Tokens[token];

    public TokenType Type(int token) => _types[token];

    /// <summary>Whether a token has this spelling, whatever its type.</summary>
    public bool TryFind(ReadOnlySpan<char> text, out int token) => _idsBySpan.TryGetValue(text, out token) && text.Length > 0;

    /// <summary>
    /// Whether user text with this spelling may become the token. llama.cpp does not ask; then the text <c>&lt;s&gt;</c> turns into BOS
    /// and the six characters <c>&lt;0x0A&gt;</c> into a line feed wherever the pieces happen to join.
    /// </summary>
    public bool TryFindWritable(ReadOnlySpan<char> text, out int token) => TryFind(text, out token) && IsWritable(token);

    public bool IsWritable(int token) => _types[token] is not (TokenType.Control or TokenType.Unknown or TokenType.Byte);

    void CheckLengths()
    {
        if (Count == 0) throw _vocabulary.Invalid("tokens", "no tokens", "at least one");
        if (_vocabulary.Types is { Length: > 0 } types && types.Length < Count)
            throw _vocabulary.Invalid("token_type", $"{types.Length} types", $"{Count}, one for each token");
        if (_vocabulary.Scores is { Length: > 0 } scores && scores.Length < Count)
            throw _vocabulary.Invalid("scores", $"{scores.Length} scores", $"{Count}, one for each token");
        if (_vocabulary.Scores.IndexOf(float.NaN) is >= 0 and int wrong)
            throw _vocabulary.Invalid("scores", $"NaN for token {wrong}", "numbers");
    }

    TokenType[] FinalTypes()
    {
        var types = new TokenType[Count];
        if (_vocabulary.Types.IsEmpty) Array.Fill(types, TokenType.Normal);
        else _vocabulary.Types.AsSpan(0, Count).CopyTo(types);
        foreach (string text in s_enders.Concat(s_frames))
            if (_ids.TryGetValue(text, out int token))
                types[token] = TokenType.Control;
        return types;
    }

    /// <summary>A special id of the file. SentencePiece files that say nothing mean the ids of its trainer, if they are special.</summary>
    int? Checked(string key, long? id, int? fallback = null)
    {
        if (id is null) return _vocabulary.Model == "llama" && fallback < Count && !IsWritable(fallback.Value) ? fallback : null;
        if (id >= 0 && id < Count) return (int)id;
        throw _vocabulary.Invalid(key, $"{id}", $"a token from 0 to {Count - 1}");
    }

    FrozenSet<int> FindEnds()
    {
        HashSet<int> ends = [.. new[] { Eos, Eot, Eom }.Concat(_vocabulary.Ends.Select(end => Checked(end.Key, end.Id))).OfType<int>()];
        foreach (string text in s_enders)
            if (_ids.TryGetValue(text, out int token))
                ends.Add(token);
        // gpt-oss ends each of its channels with <|end|> and goes on; it stops at <|return|> or <|call|>.
        if (_ids.ContainsKey("<|return|>") && _ids.ContainsKey("<|call|>") && _ids.TryGetValue("<|end|>", out int end)) ends.Remove(end);
        return ends.ToFrozenSet();
    }
}
