namespace Kvasir.Inference.Templates.Syntax;

enum LexemeKind
{
    Text,
    BeginPrint,
    EndPrint,
    BeginBlock,
    EndBlock,
    Name,
    TextLiteral,
    Integer,
    Float,
    Operator,
    End,
}

/// <summary>The smallest part of a template's source. A text literal is unescaped already.</summary>
readonly record struct Lexeme(LexemeKind Kind, string Text, int Line)
{
    /// <summary>How messages show it.</summary>
    public string Shown => Kind switch
    {
        LexemeKind.End => "the end of the template",
        LexemeKind.TextLiteral => $"the text {Formats.Printable.Quote(Text)}",
        _ => Formats.Printable.Quote(Text),
    };
}
