using System.Globalization;
using Kvasir.Formats;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;

namespace Kvasir.Inference.Chat;

/// <summary>Why tokens were not reused, in words.</summary>
public static class MissText
{
    /// <summary>What is known beside the reason; null when nothing is.</summary>
    /// <param name="miss">The miss.</param>
    /// <param name="tokenizer">The model's tokenizer; null for whoever may not see text.</param>
    public static string? Detail(Miss miss, Tokenizer? tokenizer) => miss.Reason switch
    {
        MissReason.Diverged when tokenizer is null => $"at token {miss.From:N0}",
        MissReason.Diverged => $"at token {miss.From:N0}: {Token(miss.Got, tokenizer)} was {Token(miss.Expected, tokenizer)}"
            + (ThoughtFormat.AreLeftAway(miss.Expected, miss.Got, tokenizer) ? ", thoughts of an earlier turn are left away" : ""),
        MissReason.Evicted when miss.When is { } when => $"from {miss.Tier!.Value.Name()} {Date(when)}",
        MissReason.OtherModel => Printable.Line(miss.Detail ?? ""),
        MissReason.LoadFailed => $"{miss.Tier!.Value.Name()}, {miss.Detail ?? "lost"}",
        MissReason.TooLate or MissReason.ComputeCheaper => miss.Tier!.Value.Name(),
        _ => null,
    };

    /// <summary>When something was, in the time of this place.</summary>
    public static string Date(DateTimeOffset time) => time.ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    static string Token(int token, Tokenizer tokenizer) => $"\"{Printable.Line(tokenizer.Decode([token]))}\"";
}
