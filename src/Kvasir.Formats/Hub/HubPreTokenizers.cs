using System.Text.Json;

namespace Kvasir.Formats.Hub;

/// <summary>
/// The names that GGUF files give to the ways in which byte-level vocabularies cut text into words, by the steps of a
/// <c>tokenizer.json</c>.
/// Expressions are found as they are spelt: another engine's would be run by another engine's rules, and by hostile ones for ever, so that
/// an unknown one is refused.
/// </summary>
static class HubPreTokenizers
{
    const string Gpt2 = "bytes by GPT-2's expression", Digits = "single digits";
    const string Contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    const string LineEnds = @"\s*[\r\n]+|\s+(?!\S)|\s+";
    const string Word = @"|[^\r\n\p{L}\p{N}]?\p{L}+|";
    const string Rest = @" ?[^\s\p{L}\p{N}]+[\r\n]*|" + LineEnds;
    const string Start = @"[^\r\n\p{L}\p{N}]?", Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    const string RestWithSlash = @" ?[^\s\p{L}\p{N}]+[\r\n/]*|" + LineEnds;

    /// <summary>The steps, whether whole words that are tokens go before merges, and the name.</summary>
    static readonly (string[] Steps, bool? WholeWords, string Name)[] s_known =
    [
        ([Gpt2], false, "gpt-2"),
        ([Digits, Gpt2], false, "smollm"),
        ([Contraction + Word + @"\p{N}{1,3}|" + Rest], true, "llama-bpe"),
        ([Contraction + Word + @"\p{N}{1,3}|" + Rest], false, "dbrx"),
        ([Contraction + Word + @"\p{N}|" + Rest], false, "qwen2"),
        ([Contraction + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + LineEnds], false, "qwen35"),
        ([Start + Upper + "*" + Lower + "+|" + Start + Upper + "+" + Lower + @"*|\p{N}|" + RestWithSlash], true, "tekken"),
        ([Start + Upper + "*" + Lower + "+" + Contraction + "?|" + Start + Upper + "+" + Lower + "*" + Contraction + @"?|\p{N}{1,3}|"
            + RestWithSlash], false, "gpt-4o"),
        ([@"\p{N}{1,3}", "[一-龥\u3040-ゟ゠-ヿ]+", @"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
            + @"| ?[\p{P}\p{S}]+[\r\n]*|" + LineEnds], false, "deepseek-v3"),
    ];

    /// <summary>The name of a pre-tokenizer.</summary>
    /// <param name="path">The file.</param>
    /// <param name="steps">Its steps.</param>
    /// <param name="wholeWords">Whether whole words that are tokens go before merges.</param>
    /// <param name="isSaid">Whether the name says that, too.</param>
    /// <exception cref="ModelFormatException">No name is known for it.</exception>
    public static string Name(string path, IReadOnlyList<JsonElement> steps, bool wholeWords, out bool isSaid)
    {
        string[] spelt = [.. steps.Select(step => Spell(path, step)).OfType<string>()];
        (string[] Steps, bool? WholeWords, string Name)[] alike = [.. s_known.Where(known => known.Steps.SequenceEqual(spelt))];
        if (alike.Length == 0)
            throw ModelFormatException.At(path, "pre_tokenizer", Printable.Line(string.Join("; ", spelt), 400),
                $"the steps of {string.Join(", ", s_known.Select(known => known.Name))}");
        isSaid = alike.Any(known => known.WholeWords == wholeWords);
        return isSaid || wholeWords
            ? alike.FirstOrDefault(known => known.WholeWords == wholeWords).Name ?? alike[0].Name
            : throw ModelFormatException.At(path, "model.ignore_merges", "false", $"true with the steps of {alike[0].Name}");
    }

    /// <summary>A step as the table spells it; null for the one that only spells bytes.</summary>
    static string? Spell(string path, JsonElement step) => step.Text("type") switch
    {
        "ByteLevel" when step.Flag("add_prefix_space", true) =>
            throw ModelFormatException.At(path, "pre_tokenizer.add_prefix_space", "true", "false with a vocabulary of bytes"),
        "ByteLevel" => step.Flag("use_regex", true) ? Gpt2 : null,
        "Digits" when step.Flag("individual_digits", false) => Digits,
        "Split" when step.Text("behavior") == (step.Flag("invert", false) ? "Removed" : "Isolated")
            && step.Object("pattern")?.Text("Regex") is { } regex =>
            regex.Replace("\r", @"\r", StringComparison.Ordinal).Replace("\n", @"\n", StringComparison.Ordinal), // as characters, or escaped
        _ => Printable.Line(step.GetRawText(), 200),
    };
}
