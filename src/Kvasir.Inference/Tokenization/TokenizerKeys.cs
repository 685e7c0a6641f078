using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Inference.Tokenization;

/// <summary>Keys of a GGUF file's tokenizer (<c>tokenizer.…</c>).</summary>
static class TokenizerKeys
{
    const string Section = "tokenizer.", Template = "chat_template.";

    static readonly string[] s_ids = ["bos", "eos", "eot", "eom", "unknown", "padding", "seperator", "mask", "cls"];

    static readonly string[] s_read =
    [
        "ggml.model", "ggml.pre", "ggml.tokens", "ggml.token_type", "ggml.scores", "ggml.merges",
        "ggml.add_bos_token", "ggml.add_eos_token", "ggml.add_space_prefix", "ggml.eos_token_ids", "chat_template",
        .. s_ids.Select(id => $"ggml.{id}_token_id"),
        .. ((string[])["pre", "suf", "mid", "pad", "rep", "sep"]).Select(id => $"ggml.fim_{id}_token_id"),
        "ggml.prefix_token_id", "ggml.suffix_token_id", "ggml.middle_token_id", // older names of the first three
        "ggml.token_type_count", "ggml.add_sep_token", // of pairs of texts, which are not asked here
        "chat_templates", "huggingface.json", // the names of templates, and the file that all of this was made from
    ];

    static readonly Dictionary<string, double> s_neutral = new()
    {
        ["ggml.remove_extra_whitespaces"] = 0,
        ["ggml.normalizer.lowercase"] = 0,
        ["ggml.normalizer.strip_accents"] = 0,
        ["ggml.add_unknown_token"] = 0,
        ["ggml.add_padding_token"] = 0,
        ["ggml.add_mask_token"] = 0,
        ["ggml.add_cls_token"] = 0,
        ["ggml.add_seperator_token"] = 0,
    };

    /// <summary>Refuses a file with a key that may change what is a token, or which may come, and is not looked at.</summary>
    /// <exception cref="ModelFormatException">There is one; the line names the key and its value.</exception>
    public static void Check(GgufMetadata metadata) =>
        new GgufKnownKeys([.. s_read, .. Templates(metadata)], s_neutral).Check(metadata, Section);

    /// <summary>Templates by name: that of tools is taken for tools, and nobody asks for others.</summary>
    static IEnumerable<string> Templates(GgufMetadata metadata) => metadata.Keys
        .Where(key => key.StartsWith(Section + Template, StringComparison.Ordinal)).Select(key => key[Section.Length..]);
}
