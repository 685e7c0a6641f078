using System.Collections.Immutable;
using System.Text.Json;

namespace Kvasir.Formats.Hub;

/// <summary>Which tokens begin and end texts, of <c>tokenizer.json</c>'s post-processor and of <c>tokenizer_config.json</c>.</summary>
sealed class HubSpecialTokens(string path, JsonElement root, JsonElement? config, HubVocabulary vocabulary)
{
    const string Section = "tokenizer.ggml.", Template = "TemplateProcessing";

    public void AddTo(GgufEntries entries, ImmutableArray<int> ends, int? begin)
    {
        (int? before, int? after) = Around();
        int? bos = before ?? Named("bos_token") ?? begin, eos = after ?? Named("eos_token");
        if (eos is not null && !ends.IsEmpty && !ends.Contains(eos.Value) && after is null)
            eos = null; // the list of those that generation ends with is the newer one
        eos ??= ends.IsEmpty ? null : ends[0];
        Set(entries, "bos_token_id", bos);
        Set(entries, "eos_token_id", eos);
        Set(entries, "padding_token_id", Named("pad_token"));
        entries.Set(Section + "eos_token_ids", ends.Length > 1 ? ends : null);
        entries.Set(Section + "add_bos_token", bos is not null && Adds("add_bos_token", before));
        entries.Set(Section + "add_eos_token", eos is not null && Adds("add_eos_token", after));
    }

    bool Adds(string name, int? processed) => config?.Flag(name, processed is not null) ?? processed is not null;

    static void Set(GgufEntries entries, string key, int? id) => entries.Set(Section + key, (uint?)id);

    /// <summary>A token that is named by its text, or by an object with it.</summary>
    int? Named(string name) => vocabulary.Find(config?.Text(name) ?? config?.Object(name)?.Text("content"));

    /// <summary>The tokens that go before and after a text.</summary>
    (int? Before, int? After) Around()
    {
        int? before = null, after = null;
        foreach (JsonElement step in Steps())
            if (step.Text("type") == Template)
                (before, after) = Around([.. step.Items("single")]);
            else if (step.Text("type") != "ByteLevel") // which only moves offsets
                throw Invalid(Printable.Line(step.GetRawText(), 120), $"{Template} or ByteLevel");
        return (before, after);
    }

    IEnumerable<JsonElement> Steps() => root.Object("post_processor") is not { } step ? []
        : step.Text("type") == "Sequence" ? step.Items("processors")
        : [step];

    (int?, int?) Around(JsonElement[] parts)
    {
        int text = Array.FindIndex(parts, part => part.Object("Sequence") is not null);
        return text is 0 or 1 && parts.Length - text is 1 or 2
            ? (text == 1 ? Special(parts[0]) : null, text + 1 < parts.Length ? Special(parts[text + 1]) : null)
            : throw Invalid($"{parts.Length} parts", "a text with at most one token before it and one behind");
    }

    int Special(JsonElement part) => vocabulary.Find(part.Object("SpecialToken")?.Text("id"))
        ?? throw Invalid(Printable.Line(part.GetRawText(), 80), "a token of the vocabulary");

    ModelFormatException Invalid(string seen, string expected) => ModelFormatException.At(path, "post_processor", seen, expected);
}
