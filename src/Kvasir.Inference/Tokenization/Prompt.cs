using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Inference.Tokenization;

/// <summary>
/// How a model wants to be asked. Two keys of our own in a model file say what its chat template cannot: <c>kvasir.bare_prompt</c>,
/// <c>continue</c> for a model that goes on with a text rather than answering it, and <c>kvasir.document_instruction</c>, the line before a document.
/// </summary>
public sealed class Prompt(Tokenizer tokenizer, GgufMetadata metadata)
{
    const string BareKey = "kvasir.bare_prompt", Continue = "continue", Chat = "chat";

    /// <summary>The prompt as it is, for the model to continue; special tokens count.</summary>
    public int[] Raw(string text) => [.. tokenizer.Opening, .. tokenizer.EncodeTemplate(text)];

    /// <summary>A prompt without a document: a turn of a chat, or for a model without a chat template or one that says so, a text to continue.</summary>
    /// <exception cref="ChatFormatException">The model's template is of an unknown kind.</exception>
    public int[] Bare(string text) => Continues ? [.. tokenizer.Opening, .. tokenizer.Encode(text)] : ChatFormat.From(tokenizer).EncodePrompt([new("user", text)]);

    /// <summary>A question about a document, in the model's chat format.</summary>
    /// <exception cref="ChatFormatException">The model has no template or one of an unknown kind.</exception>
    public int[] About(string document, string question) =>
        ChatFormat.From(tokenizer).EncodePrompt([new("system", DocumentTurn(document)), new("user", question)]);

    /// <summary>What the system says about a document.</summary>
    public string DocumentTurn(string document) =>
        $"{metadata.GetString("kvasir.document_instruction", "Answer from this document.")}\n{document.Trim()}";

    /// <summary>Whether a bare prompt is a text to go on with rather than a turn to answer.</summary>
    public bool Continues => metadata.GetString(BareKey, tokenizer.Vocabulary.ChatTemplate is null ? Continue : Chat) switch
    {
        Continue => true,
        Chat => false,
        string other => throw metadata.Invalid(BareKey, Printable.Quote(other), $"{Continue} or {Chat}"),
    };
}
