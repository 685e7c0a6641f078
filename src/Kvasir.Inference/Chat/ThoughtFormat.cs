using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Chat;

/// <summary>How a family of models marks its thoughts.</summary>
/// <param name="Begin">What stands before them.</param>
/// <param name="End">What stands behind them.</param>
public sealed record ThoughtFormat(string Begin, string End)
{
    static readonly ThoughtFormat s_harmony = new("<|channel|>analysis<|message|>", "<|end|>");

    static readonly ThoughtFormat s_enclosing = new("<think>", "</think>") { Answer = new("<response>", "</response>") };

    static readonly ThoughtFormat[] s_marked =
    [
        new("<think>", "</think>"), // Qwen, DeepSeek, SmolLM 3, GLM and most others
        new("[THINK]", "[/THINK]"), // Magistral and Ministral
        new("<seed:think>", "</seed:think>"), // Seed-OSS
        new("<|START_THINKING|>", "<|END_THINKING|>"), // Command A
        new("<|channel>thought", "<channel|>"), // Gemma 4
        new("Here is my thought process:", "Here is my response:"), // Granite 3.2, in plain words
    ];

    /// <summary>Whether thoughts and answers are messages in channels of their own, as gpt-oss writes them.</summary>
    public bool IsHarmony => this == s_harmony;

    /// <summary>What stands around the answer behind thoughts, as in Granite 3.3; null where nothing does.</summary>
    internal ThoughtFormat? Answer { get; private init; }

    /// <summary>What of it are control tokens, where the vocabulary has them as such.</summary>
    internal IReadOnlyList<string> Markers =>
        IsHarmony ? ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|constrain|>"]
        : [Begin, End, "<|channel>"]; // which only Gemma 4's vocabulary has

    /// <summary>The marks that a chat template speaks of; null when it knows no thoughts.</summary>
    public static ThoughtFormat? Of(string template)
    {
        ArgumentNullException.ThrowIfNull(template);
        if (template.Contains("<|channel|>", StringComparison.Ordinal) && template.Contains("analysis", StringComparison.Ordinal))
            return s_harmony;
        if (template.Contains("<think>", StringComparison.Ordinal) && template.Contains("<response>", StringComparison.Ordinal))
            return s_enclosing;
        return Array.Find(s_marked, format => template.Contains(format.End, StringComparison.Ordinal)
            || template.Contains(format.Begin, StringComparison.Ordinal));
    }

    /// <summary>Whether a text that a prompt ends with has begun thoughts and not ended them.</summary>
    internal bool AreOpenAfter(string text) =>
        text.LastIndexOf(Begin, StringComparison.Ordinal) is >= 0 and var begun
        && text.LastIndexOf(End, StringComparison.Ordinal) < begun;

    /// <summary>Whether thoughts began where a prompt has something else now: its template leaves those of earlier turns away.</summary>
    /// <param name="was">The token that was there.</param>
    /// <param name="now">The token that is.</param>
    /// <param name="tokenizer">The model's.</param>
    internal static bool AreLeftAway(int was, int now, Tokenizer tokenizer) =>
        Array.Exists(s_marked, format => tokenizer.Find(format.Begin) == was)
        || tokenizer.Find("<|channel|>") is not null && tokenizer.Find("analysis") == was && tokenizer.Find("final") == now;
}
