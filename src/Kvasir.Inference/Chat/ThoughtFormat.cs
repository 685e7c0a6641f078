namespace Kvasir.Inference.Chat;

/// <summary>How a family of models marks its thoughts.</summary>
/// <param name="Begin">What stands before them.</param>
/// <param name="End">What stands behind them.</param>
public sealed record ThoughtFormat(string Begin, string End)
{
    static readonly ThoughtFormat s_harmony = new("<|channel|>analysis<|message|>", "<|end|>");

    static readonly ThoughtFormat[] s_marked =
    [
        new("<think>", "</think>"), // Qwen, DeepSeek, SmolLM 3, GLM and most others
        new("[THINK]", "[/THINK]"), // Magistral and Ministral
        new("<seed:think>", "</seed:think>"), // Seed-OSS
        new("<|START_THINKING|>", "<|END_THINKING|>"), // Command A
    ];

    /// <summary>Whether thoughts and answers are messages in channels of their own, as gpt-oss writes them.</summary>
    public bool IsHarmony => this == s_harmony;

    /// <summary>What of it are control tokens, where the vocabulary has them as such.</summary>
    internal IReadOnlyList<string> Markers =>
        IsHarmony ? ["<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|constrain|>"] : [Begin, End];

    /// <summary>The marks that a chat template speaks of; null when it knows no thoughts.</summary>
    public static ThoughtFormat? Of(string template)
    {
        ArgumentNullException.ThrowIfNull(template);
        if (template.Contains("<|channel|>", StringComparison.Ordinal) && template.Contains("analysis", StringComparison.Ordinal))
            return s_harmony;
        return Array.Find(s_marked, format => template.Contains(format.End, StringComparison.Ordinal)
            || template.Contains(format.Begin, StringComparison.Ordinal));
    }

    /// <summary>Whether a text that a prompt ends with has begun thoughts and not ended them.</summary>
    internal bool AreOpenAfter(string text) =>
        text.LastIndexOf(Begin, StringComparison.Ordinal) is >= 0 and var begun
        && text.LastIndexOf(End, StringComparison.Ordinal) < begun;
}
