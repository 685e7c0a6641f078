namespace Kvasir.Inference.Tokenization;

/// <summary>What a token is for; the numbers are those of <c>tokenizer.ggml.token_type</c>.</summary>
public enum TokenType
{
    /// <summary>Nothing is said; never rendered.</summary>
    Undefined = 0,

    /// <summary>A piece of ordinary text.</summary>
    Normal = 1,

    /// <summary>Stands for text that the vocabulary cannot spell.</summary>
    Unknown = 2,

    /// <summary>Structure such as the end of a turn: recognised in templates, never in user text; not rendered unless asked.</summary>
    Control = 3,

    /// <summary>Text that is one token wherever it stands, in user text too.</summary>
    UserDefined = 4,

    /// <summary>A reserved place; never rendered.</summary>
    Unused = 5,

    /// <summary>One byte, spelt <c>&lt;0x0A&gt;</c>.</summary>
    Byte = 6,
}
