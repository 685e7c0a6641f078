using System.Collections.Immutable;
using Kvasir.Formats.Gguf;

namespace Kvasir.Tests.Fixtures;

/// <summary>
/// A byte-level vocabulary in GPT-2's spelling: token b is byte b, then the results of a few merges, then three ChatML control tokens.
/// </summary>
static class TinyVocabulary
{
    const int Normal = 1, Control = 3;

    static readonly string[] Controls = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"];

    /// <summary>In order of rank, so that "hello" and " the" become one token each. Ġ spells the space.</summary>
    public static ImmutableArray<string> Merges { get; } = ["h e", "l l", "he ll", "hell o", "Ġ t", "Ġt he"];

    public static ImmutableArray<string> Tokens { get; } =
        [.. Enumerable.Range(0, 256).Select(Spell),
            .. Merges.Select(merge => merge.Replace(" ", "", StringComparison.Ordinal)), .. Controls];

    public static int Size => Tokens.Length;
    public static int EndOfText => Size - 3;
    public static int TurnStart => Size - 2;
    public static int TurnEnd => Size - 1;

    /// <param name="writer">Where to.</param>
    /// <param name="frames">More control tokens, behind the others.</param>
    public static void AddTo(GgufWriter writer, ImmutableArray<string> frames)
    {
        writer.Set("tokenizer.ggml.model", "gpt2");
        writer.Set("tokenizer.ggml.pre", "qwen2");
        ImmutableArray<string> tokens = Tokens.AddRange(frames);
        writer.Set("tokenizer.ggml.tokens", tokens);
        writer.Set("tokenizer.ggml.token_type", ImmutableArray.CreateRange(tokens, token => IsControl(token) ? Control : Normal));
        writer.Set("tokenizer.ggml.merges", Merges);
        writer.Set("tokenizer.ggml.bos_token_id", (uint)EndOfText);
        writer.Set("tokenizer.ggml.eos_token_id", (uint)TurnEnd);
        writer.Set("tokenizer.ggml.add_bos_token", false);

        bool IsControl(string token) => Controls.Contains(token) || frames.Contains(token);
    }

    // GPT-2 spells bytes that print as themselves, and the others, in order, with the characters from U+0100 on.
    static string Spell(int value)
    {
        if (Prints(value)) return ((char)value).ToString();
        int earlier = Enumerable.Range(0, value).Count(other => !Prints(other));
        return ((char)(256 + earlier)).ToString();
    }

    static bool Prints(int value) => value is (>= '!' and <= '~') or (>= 0xA1 and <= 0xAC) or (>= 0xAE and <= 0xFF);
}
