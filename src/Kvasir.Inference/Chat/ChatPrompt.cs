namespace Kvasir.Inference.Chat;

/// <summary>What a prompt ends with.</summary>
public enum PromptEnd
{
    /// <summary>The start of an answer.</summary>
    Answer,

    /// <summary>The last message, as it is when more messages follow.</summary>
    Message,

    /// <summary>The text of the last message, to be gone on with.</summary>
    OpenMessage,
}

/// <summary>A conversation as tokens.</summary>
/// <param name="Tokens">The tokens.</param>
public sealed record ChatPrompt(int[] Tokens)
{
    /// <summary>What the template wrote, before it became tokens.</summary>
    public string Text { get; init; } = "";

    /// <summary>Whether what follows are thoughts: the prompt has begun some.</summary>
    public bool OpensThoughts { get; init; }

    /// <summary>The text that is gone on with; empty for an answer that begins.</summary>
    public string Continues { get; init; } = "";
}
