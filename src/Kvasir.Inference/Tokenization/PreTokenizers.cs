using System.Text.RegularExpressions;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// The pre-tokenizers by the name that <c>tokenizer.ggml.pre</c> gives. The patterns are those of the published tokenizers in the form that
/// .NET knows; where llama.cpp approximates one (case and marks in tekken and gpt-4o, U+2028 in deepseek-coder), the published one counts.
/// </summary>
/// <remarks>
/// Compiled by the source generator, so they cost nothing at start-up and work ahead of time. None may backtrack more than once over what
/// it then consumes: prompts are hostile, and a quadratic pattern is a denial of service at 100 kB.
/// </remarks>
static partial class PreTokenizers
{
    const string Contraction = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
    const string Word = @"[^\r\n\p{L}\p{N}]?\p{L}+";
    const string LineEnds = @"\s*[\r\n]+|\s+(?!\S)|\s+";
    const string Rest = @" ?[^\s\p{L}\p{N}]+[\r\n]*|" + LineEnds;
    const string RestWithSlash = @" ?[^\s\p{L}\p{N}]+[\r\n/]*|" + LineEnds;
    const string Upper = @"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]";
    const string Lower = @"[\p{Ll}\p{Lm}\p{Lo}\p{M}]";
    const string CasedStart = @"[^\r\n\p{L}\p{N}]?";

    static readonly Dictionary<string, Func<PreTokenizer>> s_byName = MakeNames();

    public static string Names => string.Join(", ", s_byName.Keys.Order(StringComparer.Ordinal));

    public static PreTokenizer? Find(string name) => s_byName.TryGetValue(name, out Func<PreTokenizer>? make) ? make() : null;

    static Dictionary<string, Func<PreTokenizer>> MakeNames()
    {
        var names = new Dictionary<string, Func<PreTokenizer>>(StringComparer.Ordinal);
        void Add(Func<PreTokenizer> make, params ReadOnlySpan<string> aliases)
        {
            foreach (string name in aliases)
                names.Add(name, make);
        }

        Add(() => new(SymbolRuns, Gpt2, NumberRun, ThreeDigits), "default");
        Add(() => new(FalconSymbolRuns, Gpt2, ThreeDigits), "falcon");
        Add(() => new(Gpt2),
            "gpt-2", "phi-2", "mpt", "olmo", "jais", "gigachat", "a.x-4.0", "mellum", "exaone4", "trillion", "granite-docling");
        Add(() => new(Number, Gpt2), "smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b", "mellum2");
        Add(() => new(Llama3) { WholeWordsFirst = true, AddsBos = true },
            "llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2");
        Add(() => new(Llama3), "dbrx", "smaug-bpe", "glm4", "chatglm-bpe");
        Add(() => new(Qwen2), "qwen2", "deepseek-r1-qwen", "kormo", "megrez", "stablelm2", "hunyuan", "solar-open", "grok-2");
        Add(() => new(Qwen35), "qwen35");
        Add(() => new(LineEnd, SpacedWord, SpacedPunctuation, AsianRun, Number), "deepseek-coder");
        Add(() => new(UpToThreeNumbers, EastAsianRun, DeepSeek3), "deepseek-v3", "hunyuan-dense", "joyai-llm");
        Add(() => new(UpToThreeNumbers, MiniCpm5) { WholeWordsFirst = true }, "minicpm5");
        Add(() => new(SeedCoder), "seed-coder");
        Add(() => new(BailingMoe), "bailingmoe", "bailingmoe2", "llada-moe");
        Add(() => new(Tekken) { WholeWordsFirst = true, AddsBos = true }, "tekken");
        Add(() => new(Gpt4O), "gpt-4o", "llama4", "kanana2", "minimax-m2");
        Add(() => new(Bloom), "bloom", "gpt3-finnish", "poro-chat");
        Add(() => new(Bloom, Number), "viking");
        return names;
    }

    [GeneratedRegex(@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")]
    static partial Regex Gpt2 { get; }

    [GeneratedRegex(Contraction + "|" + Word + @"|\p{N}{1,3}|" + Rest)]
    static partial Regex Llama3 { get; }

    [GeneratedRegex(Contraction + "|" + Word + @"|\p{N}|" + Rest)]
    static partial Regex Qwen2 { get; }

    [GeneratedRegex(Contraction + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|" + LineEnds)]
    static partial Regex Qwen35 { get; }

    [GeneratedRegex(Contraction + "|" + Word + @"|\p{N}+|" + Rest)]
    static partial Regex MiniCpm5 { get; }

    [GeneratedRegex(Contraction + "|" + Word + @"|\p{N}| ?[^\s\p{L}\p{N}\r\n]+|" + LineEnds)]
    static partial Regex SeedCoder { get; }

    [GeneratedRegex(@"'(?:[sSdDmMtT]|[lL][lL]|[vV][eE]|[rR][eE])|" + Word + @"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]|\s+(?!\S)|\s+")]
    static partial Regex BailingMoe { get; }

    [GeneratedRegex(CasedStart + Upper + "*" + Lower + "+|" + CasedStart + Upper + "+" + Lower + @"*|\p{N}|" + RestWithSlash)]
    static partial Regex Tekken { get; }

    [GeneratedRegex(CasedStart + Upper + "*" + Lower + "+" + Contraction + "?|" + CasedStart + Upper + "+" + Lower + "*" + Contraction
        + @"?|\p{N}{1,3}|" + RestWithSlash)]
    static partial Regex Gpt4O { get; }

    [GeneratedRegex(@"[!""#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
        + @"| ?[\p{P}\p{S}]+[\r\n]*|" + LineEnds)]
    static partial Regex DeepSeek3 { get; }

    [GeneratedRegex(@" ?[^(\s|.,!?…。，、।۔،)]+")]
    static partial Regex Bloom { get; }

    [GeneratedRegex(@"[\p{P}$+<=>^~|]+")]
    static partial Regex SymbolRuns { get; }

    [GeneratedRegex(@"[\p{P}$+<=>^~|`]+")]
    static partial Regex FalconSymbolRuns { get; }

    [GeneratedRegex(@"\p{N}")]
    static partial Regex Number { get; }

    [GeneratedRegex(@"\p{N}+")]
    static partial Regex NumberRun { get; }

    [GeneratedRegex(@"\p{N}{1,3}")]
    static partial Regex UpToThreeNumbers { get; }

    [GeneratedRegex("[0-9][0-9][0-9]")]
    static partial Regex ThreeDigits { get; }

    [GeneratedRegex(@"[\r\n]")]
    static partial Regex LineEnd { get; }

    [GeneratedRegex(@"\s?\p{L}+")]
    static partial Regex SpacedWord { get; }

    [GeneratedRegex(@"\s?\p{P}+")]
    static partial Regex SpacedPunctuation { get; }

    /// <summary>The middle range is the published one, typing slip and all.</summary>
    [GeneratedRegex(@"[\u4E00-\u9FA5\u0800-\u4E00\uAC00-\uD7FF]+")]
    static partial Regex AsianRun { get; }

    [GeneratedRegex(@"[\u4E00-\u9FA5\u3040-\u309F\u30A0-\u30FF]+")]
    static partial Regex EastAsianRun { get; }
}
