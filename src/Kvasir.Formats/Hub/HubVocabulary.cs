using System.Collections.Immutable;
using System.Globalization;
using System.Text.Json;

namespace Kvasir.Formats.Hub;

/// <summary>The tokens of a <c>tokenizer.json</c> by id, and what joins them.</summary>
sealed class HubVocabulary
{
    const int Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, OneByte = 6; // as tokenizer.ggml.token_type counts

    /// <summary>What may be asked of an added token beside its spelling.</summary>
    static readonly string[] s_rules = ["lstrip", "rstrip", "single_word", Normalized];

    const string Normalized = "normalized";

    readonly string _path;
    readonly string?[] _tokens;
    readonly int[] _types;
    readonly Dictionary<string, int> _ids = new(StringComparer.Ordinal);
    readonly Dictionary<string, List<int>> _rules = s_rules.ToDictionary(rule => rule, _ => new List<int>());
    readonly JsonElement _model;

    public HubVocabulary(string path, JsonElement root, JsonElement model, int rows)
    {
        (_path, _model, _tokens, _types) = (path, model, new string?[rows], new int[rows]);
        JsonElement vocabulary = model.Object("vocab") ?? throw Invalid("model.vocab", "no object", "the id of each token");
        foreach (JsonProperty entry in vocabulary.EnumerateObject())
            Add(entry.Name, entry.Value.ValueKind == JsonValueKind.Number && entry.Value.TryGetInt32(out int id) ? id : -1, Normal);
        foreach (JsonElement added in root.Items("added_tokens"))
            AddAdded(added);
    }

    /// <summary>Whether no token has a ▁ behind its first character, so that cutting text before each changes nothing.</summary>
    public bool HasNoSpaceInside => !_tokens.Where((token, id) => _types[id] == Normal && token!.LastIndexOf('▁') > 0).Any();

    /// <summary>The id of a token.</summary>
    public int? Find(string? text) => text is not null && _ids.TryGetValue(text, out int id) ? id : null;

    /// <param name="entries">Receives the tokens.</param>
    /// <param name="unknown">The token of what cannot be spelt; null where there is none. With one, there are tokens of one byte.</param>
    public void AddTo(GgufEntries entries, string? unknown)
    {
        const string Section = "tokenizer.ggml.";
        if (entries.Is("tokenizer.ggml.model", "llama"))
            for (int id = 0; id < _tokens.Length; id++)
                if (_types[id] == Normal && IsByte(_tokens[id]!))
                    _types[id] = OneByte;
        if (Find(unknown) is { } unknownId)
        {
            _types[unknownId] = Unknown;
            entries.Set(Section + "unknown_token_id", (uint)unknownId);
        }
        entries.Set(Section + "tokens", ImmutableArray.CreateRange(_tokens.Select((token, id) => token ?? $"[PAD{id}]")));
        entries.Set(Section + "token_type", ImmutableArray.CreateRange(_types.Select(type => type == 0 ? Unused : type)));
        entries.Set(Section + "merges", ImmutableArray.CreateRange(_model.Items("merges").Select(Merge)));
        foreach ((string rule, List<int> tokens) in _rules)
            entries.Set($"kvasir.tokenizer.{rule}", tokens.Count > 0 ? tokens.ToImmutableArray() : null);
    }

    void AddAdded(JsonElement added)
    {
        string content = added.Text("content") is { Length: > 0 } text ? text : throw Invalid("added_tokens.content", "nothing", "a text");
        int id = added.Whole("id") ?? -1;
        if (id >= 0 && id < _tokens.Length && _tokens[id] == content)
            _tokens[id] = null;
        bool isSpecial = added.Flag("special", false);
        if (isSpecial && id >= _tokens.Length)
            return; // Gemma 3 without pictures has a token for them and no row of its own for that: no text becomes it
        Add(content, id, isSpecial ? Control : UserDefined);
        foreach (string rule in s_rules)
            if (added.Flag(rule, rule == Normalized && !isSpecial))
                _rules[rule].Add(id);
    }

    void Add(string token, int id, int type)
    {
        if (id < 0 || id >= _tokens.Length)
            throw Invalid("model.vocab", $"the id of {Printable.Quote(token)}", $"0 to {_tokens.Length - 1}, a row of the embedding");
        if (_tokens[id] is { } other)
            throw Invalid("model.vocab", $"{Printable.Quote(token)} and {Printable.Quote(other)} of id {id}", "an id for each");
        (_tokens[id], _types[id], _ids[token]) = (token, type, id);
    }

    /// <summary>Both forms, <c>"a b"</c> and <c>["a", "b"]</c>, as the first.</summary>
    string Merge(JsonElement merge)
    {
        string pair = Pair(merge);
        int space = pair.IndexOf(' ', 1);
        string? absent = Array.Find([pair[..space], pair[(space + 1)..], pair.Remove(space, 1)], token => !_ids.ContainsKey(token));
        return absent is null ? pair
            : throw Invalid("model.merges", Printable.Quote(pair), $"{Printable.Quote(absent)} to be in the vocabulary");
    }

    string Pair(JsonElement merge)
    {
        if (merge.ValueKind == JsonValueKind.String && merge.GetString()! is { Length: > 2 } pair
            && pair.IndexOf(' ', 1) is > 0 and int space && space < pair.Length - 1)
            return pair;
        return merge.ValueKind == JsonValueKind.Array && merge.GetArrayLength() == 2
            && merge.EnumerateArray().All(part =>
                part.ValueKind == JsonValueKind.String && part.GetString() is { Length: > 0 } text && !text.Contains(' '))
            ? $"{merge[0].GetString()} {merge[1].GetString()}"
            : throw Invalid("model.merges", Printable.Line(merge.GetRawText(), 60), "two tokens without spaces");
    }

    static bool IsByte(string token) => token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
        && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out _);

    ModelFormatException Invalid(string field, string seen, string expected) => ModelFormatException.At(_path, field, seen, expected);
}
