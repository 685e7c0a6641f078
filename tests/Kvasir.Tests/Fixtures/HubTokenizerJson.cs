using System.Text.Json.Nodes;
using Kvasir.Formats.Gguf;

namespace Kvasir.Tests.Fixtures;

/// <summary>A GGUF file's vocabulary as a <c>tokenizer.json</c>, as transformers' converters write it.</summary>
static class HubTokenizerJson
{
    const string Contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)", Word = @"|[^\r\n\p{L}\p{N}]?\p{L}+|";
    const string Rest = @" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

    public static JsonObject Of(GgufFile file)
    {
        GgufMetadata metadata = file.Metadata;
        string[] tokens = [.. metadata.GetStrings("tokenizer.ggml.tokens")];
        int[] types = metadata.TryGetInt32s("tokenizer.ggml.token_type", out var said) ? [.. said] : new int[tokens.Length];
        bool pieces = metadata.GetString("tokenizer.ggml.model") == "llama";
        var json = new JsonObject
        {
            ["added_tokens"] = new JsonArray([.. Enumerable.Range(0, tokens.Length).Where(id => types[id] is 2 or 3 or 4)
                .Select(id => Added(id, tokens[id], special: types[id] != 4))]),
            ["normalizer"] = pieces ? Pieces() : null,
            ["pre_tokenizer"] = pieces ? null : Cuts(metadata.GetString("tokenizer.ggml.pre")),
            ["post_processor"] = metadata.GetBool("tokenizer.ggml.add_bos_token", pieces)
                ? Begin(tokens[metadata.GetInt32("tokenizer.ggml.bos_token_id")])
                : null,
            ["model"] = new JsonObject
            {
                ["type"] = "BPE",
                ["unk_token"] = pieces ? "<unk>" : null,
                ["byte_fallback"] = pieces,
                ["ignore_merges"] = metadata.GetString("tokenizer.ggml.pre", "") == "llama-bpe",
                ["vocab"] = Vocabulary(tokens),
                ["merges"] = new JsonArray([.. (pieces
                    ? MergesOf(tokens, types, [.. metadata.GetSingles("tokenizer.ggml.scores")])
                    : metadata.GetStrings("tokenizer.ggml.merges")).Select(merge => (JsonNode)merge)]),
            },
        };
        return json;
    }

    static JsonObject Vocabulary(string[] tokens)
    {
        var vocabulary = new JsonObject();
        for (int id = 0; id < tokens.Length; id++)
            vocabulary[tokens[id]] = id;
        return vocabulary;
    }

    static JsonObject Added(int id, string content, bool special) => new()
    {
        ["id"] = id, ["content"] = content, ["special"] = special, ["normalized"] = false, ["lstrip"] = false, ["rstrip"] = false,
        ["single_word"] = false,
    };

    static JsonObject Pieces() => new()
    {
        ["type"] = "Sequence",
        ["normalizers"] = new JsonArray(
            new JsonObject { ["type"] = "Prepend", ["prepend"] = "▁" },
            new JsonObject { ["type"] = "Replace", ["pattern"] = new JsonObject { ["String"] = " " }, ["content"] = "▁" }),
    };

    static JsonObject Begin(string bos) => new()
    {
        ["type"] = "TemplateProcessing",
        ["single"] = new JsonArray(
            new JsonObject { ["SpecialToken"] = new JsonObject { ["id"] = bos, ["type_id"] = 0 } },
            new JsonObject { ["Sequence"] = new JsonObject { ["id"] = "A", ["type_id"] = 0 } }),
    };

    static JsonObject Cuts(string pre) => pre switch
    {
        "gpt-2" or "default" => Bytes(usesRegex: true),
        "smollm" => Sequence(new JsonObject { ["type"] = "Digits", ["individual_digits"] = true }, Bytes(usesRegex: true)),
        "llama-bpe" => Sequence(Split(Contraction + Word + @"\p{N}{1,3}|" + Rest), Bytes(usesRegex: false)),
        "qwen2" => Sequence(Split(Contraction + Word + @"\p{N}|" + Rest), Bytes(usesRegex: false)),
        _ => throw new ArgumentOutOfRangeException(nameof(pre), pre, "no steps known"),
    };

    static JsonObject Sequence(params JsonNode[] steps) => new() { ["type"] = "Sequence", ["pretokenizers"] = new JsonArray(steps) };

    static JsonObject Split(string regex) =>
        new() { ["type"] = "Split", ["pattern"] = new JsonObject { ["Regex"] = regex }, ["behavior"] = "Isolated", ["invert"] = false };

    static JsonObject Bytes(bool usesRegex) =>
        new() { ["type"] = "ByteLevel", ["add_prefix_space"] = false, ["trim_offsets"] = true, ["use_regex"] = usesRegex };

    /// <summary>Every way to cut a piece into two, the best pieces first: what transformers makes of a SentencePiece model.</summary>
    static IEnumerable<string> MergesOf(string[] tokens, int[] types, float[] scores)
    {
        var ids = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int id = 0; id < tokens.Length; id++)
            if (types[id] == 1)
                ids[tokens[id]] = id;
        return ids.OrderByDescending(entry => scores[entry.Value]).ThenBy(entry => entry.Value).SelectMany(entry =>
            Enumerable.Range(1, Math.Max(0, entry.Key.Length - 1))
                .Where(cut => !char.IsLowSurrogate(entry.Key[cut]))
                .Where(cut => ids.ContainsKey(entry.Key[..cut]) && ids.ContainsKey(entry.Key[cut..]))
                .OrderBy(cut => ids[entry.Key[..cut]]).ThenBy(cut => ids[entry.Key[cut..]])
                .Select(cut => $"{entry.Key[..cut]} {entry.Key[cut..]}"));
    }
}
