using Kvasir.Inference.Chat;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Cli.Verbs;

/// <summary>
/// What a user asks on the command line: a message to answer, a text to go on with, or a question about a document, which the system says.
/// </summary>
/// <param name="Prompt">The text; null for a document about which questions are to come.</param>
/// <param name="Document">What it is about; null for nothing.</param>
/// <param name="IsRaw">Whether it goes to the model as it is.</param>
/// <param name="System">What the system says where there is no document; null for nothing.</param>
sealed record Asked(string? Prompt, string? Document, bool IsRaw, string? System = null)
{
    /// <summary>Whether the answer goes on with the text.</summary>
    public bool IsContinued(PromptStyle style) => Document is null && (IsRaw || style.Continues);

    /// <summary>As tokens: of a document without a question those before any question.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="style">How the model wants to be asked.</param>
    /// <param name="prompts">Makes what writes conversations, if this is one: a text needs no chat template.</param>
    public int[] Tokens(Tokenizer tokenizer, PromptStyle style, Func<ChatPrompts> prompts)
    {
        if (IsRaw)
            return tokenizer.EncodePrompt(Document is null ? Prompt! : $"{Document}\n{Prompt}");
        if (IsContinued(style))
            return [.. tokenizer.Opening, .. tokenizer.Encode(Prompt!)];
        ChatTranscript transcript = new();
        if ((Document is null ? System : style.SystemPrompt(Document)) is { } system)
            transcript.Add("system", system);
        if (Prompt is null)
            return prompts().EncodeBeginning(transcript.Messages);
        transcript.Add("user", Prompt);
        return prompts().Encode(transcript.Messages);
    }
}
