namespace Kvasir.Inference.Templates;

/// <summary>What a template may cost. Templates come with model files, so they are as little trusted as those.</summary>
static class Limits
{
    /// <summary>Characters of a template's source; real ones have at most some ten thousand.</summary>
    public const int Source = 1 << 20;

    /// <summary>Characters of one text, the prompt included.</summary>
    public const int Text = 1 << 24;

    /// <summary>Characters that all operations together may read and write.</summary>
    public const long Characters = 1L << 27;

    /// <summary>Expressions, statements and list items that may be visited in all.</summary>
    public const long Steps = 10_000_000;

    /// <summary>Items of a list that is made at once by adding or repeating lists.</summary>
    public const int Items = 1_000_000;

    /// <summary>Numbers of a range, as in Jinja's sandbox.</summary>
    public const int Range = 100_000;

    /// <summary>
    /// The steps that a part cut from a text costs, because it takes a hundred bytes; so there are about a million at most.
    /// </summary>
    public const long StepsOfPart = 8;

    /// <summary>Spaces of one level of indentation.</summary>
    public const int Indent = 1000;

    /// <summary>Brackets and blocks within each other in the source.</summary>
    public const int SourceDepth = 100;

    /// <summary>Evaluations within each other, calls of macros included; some hundred bytes of stack each.</summary>
    public const int Depth = 1000;

    /// <summary>Lists and dictionaries within each other.</summary>
    public const int ValueDepth = 100;
}
