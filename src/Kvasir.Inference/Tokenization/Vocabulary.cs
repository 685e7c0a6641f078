using System.Collections.Immutable;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Inference.Tokenization;

/// <summary>What a model file says about its tokens, as it says it; <see cref="Tokenizer"/> checks that it makes sense.</summary>
public sealed record Vocabulary
{
    /// <summary>The prefix of every key below.</summary>
    internal const string Section = "tokenizer.ggml.";

    /// <summary>The prefix of keys that only we know.</summary>
    internal const string Own = "kvasir.tokenizer.";

    /// <summary>The file that errors name.</summary>
    public required string Source { get; init; }

    /// <summary>The kind of tokenizer: <c>gpt2</c> (byte-level BPE) or <c>llama</c> (SentencePiece).</summary>
    public required string Model { get; init; }

    /// <summary>How byte-level BPE cuts text into words.</summary>
    public string Pre { get; init; } = "default";

    /// <summary>The model's own name; phi-3's tokens carry rules that its file does not state.</summary>
    public string Name { get; init; } = "";

    /// <summary>The spelling of each token, by id.</summary>
    public required ImmutableArray<string> Tokens { get; init; }

    /// <summary>The types by id; all tokens are normal when empty.</summary>
    public ImmutableArray<TokenType> Types { get; init; } = [];

    /// <summary>SentencePiece's scores by id; all are zero when empty.</summary>
    public ImmutableArray<float> Scores { get; init; } = [];

    /// <summary>The pairs that are joined, best first, as <c>left right</c>; SentencePiece has them where it has no scores.</summary>
    public ImmutableArray<string> Merges { get; init; } = [];

    /// <summary>The token that begins a sequence.</summary>
    public long? Bos { get; init; }

    /// <summary>The token that ends a sequence.</summary>
    public long? Eos { get; init; }

    /// <summary>The token that ends a turn.</summary>
    public long? Eot { get; init; }

    /// <summary>The token that ends a message after which a tool is to answer.</summary>
    public long? Eom { get; init; }

    /// <summary>The token of what the vocabulary cannot spell.</summary>
    public long? Unknown { get; init; }

    /// <summary>The token that fills up batches.</summary>
    public long? Pad { get; init; }

    /// <summary>Whether sequences begin with <see cref="Bos"/>; where unsaid, the kind of tokenizer decides.</summary>
    public bool? AddBos { get; init; }

    /// <summary>Whether sequences end with <see cref="Eos"/>.</summary>
    public bool AddEos { get; init; }

    /// <summary>Whether SentencePiece puts a space in front of text.</summary>
    public bool AddSpacePrefix { get; init; } = true;

    /// <summary>Whether that space is put in front of the whole text only, and not after special tokens.</summary>
    internal bool PrefixesFirstOnly { get; init; }

    /// <summary>
    /// Whether that space is put by Metaspace: before what does not begin with one, and only once all special tokens have been found.
    /// </summary>
    internal bool IsMetaspace { get; init; }

    /// <summary>Whether a whole word that is a token is that token, where the pre-tokenizer's name does not say so.</summary>
    internal bool WholeWordsFirst { get; init; }

    /// <summary>Whether text is put into Unicode's form C first.</summary>
    internal bool IsFormC { get; init; }

    /// <summary>Special tokens that take the white space before them.</summary>
    internal ImmutableArray<int> TakesSpaceBefore { get; init; } = [];

    /// <summary>Special tokens that take the white space behind them.</summary>
    internal ImmutableArray<int> TakesSpaceBehind { get; init; } = [];

    /// <summary>Special tokens that stand only where no word goes on.</summary>
    internal ImmutableArray<int> SingleWords { get; init; } = [];

    /// <summary>Special tokens that are looked for in normalised text.</summary>
    internal ImmutableArray<int> NormalizedTokens { get; init; } = [];

    /// <summary>The model's chat template, in Jinja.</summary>
    public string? ChatTemplate { get; init; }

    /// <summary>The template for conversations with tools, where it is another one.</summary>
    internal string? ToolTemplate { get; init; }

    /// <summary>The ids of <see cref="FillInTokens"/>, in its order; null for what the file does not name.</summary>
    internal ImmutableArray<int?> FillIn { get; init; } = [null, null, null, null, null];

    /// <summary>Further tokens that end a text, and the keys that say so.</summary>
    internal ImmutableArray<(string Key, long? Id)> Ends { get; init; } = [];

    /// <summary>Reads the vocabulary of a model file.</summary>
    /// <exception cref="ModelFormatException">A required key is absent or a key has the wrong type.</exception>
    public static Vocabulary From(IModelFile file)
    {
        ArgumentNullException.ThrowIfNull(file);
        GgufMetadata metadata = file.Metadata;
        string model = metadata.GetString(Section + "model");
        bool isSentencePiece = model == "llama";
        return new Vocabulary
        {
            Source = file.Path,
            Model = model,
            Pre = metadata.GetString(Section + "pre", "default"),
            Name = metadata.GetString("general.name", ""),
            Tokens = metadata.GetStrings(Section + "tokens"),
            Types = metadata.TryGetInt32s(Section + "token_type", out var types) ? [.. types.Select(type => (TokenType)type)] : [],
            Scores = isSentencePiece && metadata.TryGetSingles(Section + "scores", out var scores) ? scores : [],
            Merges = !(isSentencePiece && metadata.Contains(Section + "scores"))
                && metadata.TryGetStrings(Section + "merges", out var merges) ? merges : [],
            Bos = Id(metadata, "bos_token_id"),
            Eos = Id(metadata, "eos_token_id"),
            Eot = Id(metadata, "eot_token_id"),
            Eom = Id(metadata, "eom_token_id"),
            Unknown = Id(metadata, "unknown_token_id"),
            Pad = Id(metadata, "padding_token_id"),
            AddBos = Flag(metadata, "add_bos_token"),
            AddEos = Flag(metadata, "add_eos_token") ?? false,
            AddSpacePrefix = Flag(metadata, "add_space_prefix") ?? true,
            PrefixesFirstOnly = metadata.GetBool(Own + "prefix_first_only", false),
            IsMetaspace = metadata.GetBool(Own + "metaspace", false),
            IsFormC = metadata.GetBool(Own + "nfc", false),
            WholeWordsFirst = metadata.GetBool(Own + "whole_words", false),
            TakesSpaceBefore = OwnTokens(metadata, "lstrip"),
            TakesSpaceBehind = OwnTokens(metadata, "rstrip"),
            SingleWords = OwnTokens(metadata, "single_word"),
            NormalizedTokens = OwnTokens(metadata, "normalized"),
            ChatTemplate = metadata.GetString("tokenizer.chat_template", null),
            ToolTemplate = metadata.GetString("tokenizer.chat_template.tool_use", null),
            Ends = [.. FurtherEnds(metadata)],
            FillIn = [.. ((string[])["pre", "suf", "mid", "rep", "sep"]).Select(part => FillInId(metadata, $"fim_{part}_token_id"))],
        };
    }

    /// <summary>All ids where there are several, and what ends a file or repository in code, as in llama.cpp.</summary>
    static IEnumerable<(string Key, long? Id)> FurtherEnds(GgufMetadata metadata)
    {
        const string Several = "eos_token_ids";
        if (metadata.TryGetInt32s(Section + Several, out var ids))
            foreach (int id in ids)
                yield return (Several, id);
        foreach (string key in (string[])["fim_pad_token_id", "fim_rep_token_id", "fim_sep_token_id"])
            yield return (key, Id(metadata, key));
    }

    /// <summary>The error of a key of this vocabulary.</summary>
    internal ModelFormatException Invalid(string key, string seen, string expected) =>
        ModelFormatException.At(Source, Section + key, seen, expected);

    /// <summary>Some writers spell "none" as -1 in 32 bits, signed or not.</summary>
    static long? Id(GgufMetadata metadata, string key)
    {
        long id = metadata.GetInt64(Section + key, -1);
        return id is -1 or uint.MaxValue ? null : id;
    }

    static ImmutableArray<int> OwnTokens(GgufMetadata metadata, string rule) =>
        metadata.TryGetInt32s(Own + rule, out var tokens) ? tokens : [];

    /// <summary>A token that frames gaps; one that is none is as good as unsaid: it ends no text and no prompt needs it.</summary>
    static int? FillInId(GgufMetadata metadata, string key) =>
        Id(metadata, key) is { } id && id >= 0 && id < metadata.GetStrings(Section + "tokens").Length ? (int)id : null;

    static bool? Flag(GgufMetadata metadata, string key) =>
        metadata.Contains(Section + key) ? metadata.GetBool(Section + key) : null;
}
