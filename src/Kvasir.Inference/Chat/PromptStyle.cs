using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Inference.Chat;

/// <summary>What two keys of our own in a model file say of how to ask its model, because a chat template cannot.</summary>
/// <param name="Continues">
/// Whether a prompt that comes alone is a text to go on with rather than a message to answer: <c>kvasir.bare_prompt</c>, by default for
/// models without a chat template.
/// </param>
/// <param name="DocumentInstruction">The line before a document: <c>kvasir.document_instruction</c>.</param>
public sealed record PromptStyle(bool Continues, string DocumentInstruction)
{
    const string BareKey = "kvasir.bare_prompt", Continue = "continue", Chat = "chat";

    /// <summary>Reads the keys.</summary>
    /// <exception cref="ModelFormatException">A key has a value of no known meaning.</exception>
    public static PromptStyle From(GgufMetadata metadata)
    {
        ArgumentNullException.ThrowIfNull(metadata);
        bool continues = metadata.GetString(BareKey, metadata.Contains("tokenizer.chat_template") ? Chat : Continue) switch
        {
            Continue => true,
            Chat => false,
            string other => throw metadata.Invalid(BareKey, Printable.Quote(other), $"{Continue} or {Chat}"),
        };
        return new PromptStyle(continues, metadata.GetString("kvasir.document_instruction", "Answer from this document."));
    }

    /// <summary>What the system says when questions about a document are to come.</summary>
    public string SystemPrompt(string document)
    {
        ArgumentNullException.ThrowIfNull(document);
        return $"{DocumentInstruction}\n{document.Trim()}";
    }
}
