using System.Collections.Immutable;
using System.Text.Json;

namespace Kvasir.Formats.Hub;

/// <summary>
/// Reads the vocabulary of a folder, <c>tokenizer.json</c> and what <c>tokenizer_config.json</c> and the files of chat templates say beside
/// it, into the keys that GGUF has for them. Only what is computed as the file says is taken; other steps are refused by name.
/// </summary>
/// <param name="folder">The folder.</param>
/// <param name="rows">Rows of the embedding; those beyond the vocabulary are filled.</param>
sealed class HubTokenizer(string folder, int rows)
{
    const string Section = "tokenizer.ggml.", Own = "kvasir.tokenizer.", Space = "▁";

    readonly string _path = Path.Combine(folder, "tokenizer.json"), _configPath = Path.Combine(folder, "tokenizer_config.json");

    public void AddTo(GgufEntries entries, ImmutableArray<int> ends, int? begin)
    {
        if (!File.Exists(_path))
            throw ModelFormatException.At(folder, "tokenizer", File.Exists(Path.Combine(folder, "tokenizer.model"))
                ? "tokenizer.model alone, which is not read" : "no tokenizer.json", "tokenizer.json");
        using JsonDocument json = JsonFile.Read(_path);
        using JsonDocument? config = File.Exists(_configPath) ? JsonFile.Read(_configPath) : null;
        JsonElement root = json.RootElement;
        JsonElement model = root.Object("model") ?? throw Invalid("model", "the field is missing", "an object");
        RefuseOtherModels(model);
        HubVocabulary vocabulary = new(_path, root, model, rows);
        JsonElement[] cuts = [.. Steps(root.Object("pre_tokenizer"), "pretokenizers")];
        bool isOfBytes = cuts.Any(cut => cut.Text("type") == "ByteLevel");
        entries.Set(Section + "model", isOfBytes ? "gpt2" : "llama");
        if (isOfBytes)
            OfBytes(entries, root, model, cuts);
        else
            OfPieces(entries, root, model, cuts, vocabulary);
        vocabulary.AddTo(entries, isOfBytes ? null : model.Text("unk_token"));
        new HubSpecialTokens(_path, root, config?.RootElement, vocabulary).AddTo(entries, ends, begin);
        HubTemplates.AddTo(entries, folder, config?.RootElement);
    }

    void RefuseOtherModels(JsonElement model)
    {
        string type = model.Text("type") ?? (model.Object("vocab") is not null ? "BPE" : "");
        if (type != "BPE")
            throw Invalid("model.type", Printable.Quote(type), "BPE");
        foreach (string name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
            if (model.Text(name) is { Length: > 0 } affix)
                throw Invalid($"model.{name}", Printable.Quote(affix), "none");
    }

    /// <summary>Byte-level BPE.</summary>
    void OfBytes(GgufEntries entries, JsonElement root, JsonElement model, JsonElement[] cuts)
    {
        foreach (JsonElement step in Steps(root.Object("normalizer"), "normalizers"))
            if (step.Text("type") != "NFC")
                throw Invalid("normalizer", Printable.Line(step.GetRawText(), 120), "none, or NFC");
            else
                entries.Set(Own + "nfc", true);
        bool wholeWords = model.Flag("ignore_merges", false);
        string pre = HubPreTokenizers.Name(_path, cuts, wholeWords, out bool isSaid);
        entries.Set(Section + "pre", pre);
        entries.Set(Own + "whole_words", wholeWords && !isSaid ? true : null);
    }

    /// <summary>SentencePiece's BPE: ▁ for spaces, and bytes for what is no piece.</summary>
    void OfPieces(GgufEntries entries, JsonElement root, JsonElement model, JsonElement[] cuts, HubVocabulary vocabulary)
    {
        if (!model.Flag("byte_fallback", false))
            throw Invalid("model.byte_fallback", "not true", "true where pre_tokenizer has no ByteLevel");
        if (model.Flag("ignore_merges", false))
            throw Invalid("model.ignore_merges", "true", "false with byte_fallback");
        bool replaces = false, prefixes = false, onlyFirst = false, metaspace = false;
        foreach (JsonElement step in Steps(root.Object("normalizer"), "normalizers"))
            switch (step.Text("type"))
            {
                case "NFC": entries.Set(Own + "nfc", true); break;
                case "Prepend" when step.Text("prepend") == Space: prefixes = true; break;
                case "Replace" when step.Object("pattern")?.Text("String") == " " && step.Text("content") == Space: replaces = true; break;
                default:
                    throw Invalid("normalizer", Printable.Line(step.GetRawText(), 120),
                    $"NFC, Prepend {Space}, or Replace ' ' with {Space}");
            }
        foreach (JsonElement step in cuts)
            switch (step.Text("type"))
            {
                case "Split" when replaces && step.Object("pattern")?.Text("String") == " ": break; // there are none any more
                case "Metaspace" when (step.Text("replacement") ?? Space) == Space
                    && (!step.Flag("split", true) || vocabulary.HasNoSpaceInside):
                    metaspace = !replaces && !prefixes;
                    replaces = true;
                    string scheme = step.Text("prepend_scheme") ?? (step.Flag("add_prefix_space", true) ? "always" : "never");
                    (prefixes, onlyFirst) = (prefixes || scheme != "never", scheme == "first");
                    break;
                default:
                    throw Invalid("pre_tokenizer", Printable.Line(step.GetRawText(), 160),
                    $"ByteLevel, Metaspace that does not split, or Split ' ' behind Replace");
            }
        if (!replaces)
            throw Invalid("normalizer", "spaces that stay", $"Replace ' ' with {Space}, or Metaspace, without ByteLevel");
        entries.Set(Section + "add_space_prefix", prefixes);
        entries.Set(Own + "prefix_first_only", onlyFirst ? true : null);
        entries.Set(Own + "metaspace", metaspace ? true : null);
    }

    /// <summary>The steps of a sequence, those of sequences inside in their places.</summary>
    static IEnumerable<JsonElement> Steps(JsonElement? step, string inside) =>
        step is not { } one ? []
        : one.Text("type") == "Sequence" ? one.Items(inside).SelectMany(part => Steps(part, inside))
        : [one];

    ModelFormatException Invalid(string field, string seen, string expected) => ModelFormatException.At(_path, field, seen, expected);
}
