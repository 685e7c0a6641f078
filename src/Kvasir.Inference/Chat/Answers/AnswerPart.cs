namespace Kvasir.Inference.Chat.Answers;

/// <summary>What a part of an answer is.</summary>
public enum AnswerPartKind
{
    /// <summary>More of what the model thinks.</summary>
    Thought,

    /// <summary>More of what it says.</summary>
    Text,

    /// <summary>A call begins: its id and its name are known.</summary>
    Call,

    /// <summary>More of the call's arguments, as a text that will be JSON.</summary>
    Arguments,

    /// <summary>The call is over: its arguments are known.</summary>
    CallEnd,
}

/// <summary>A part of an answer. Calls come one after the other: begin, arguments, end.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">The text that is new; empty where a call begins or ends.</param>
/// <param name="Call">The call, where one begins or ends.</param>
public readonly record struct AnswerPart(AnswerPartKind Kind, string Text, ToolCall? Call = null)
{
    /// <summary>Of a call that is over, whether its arguments came to their end and are JSON.</summary>
    public bool IsWhole { get; init; } = true;
}
