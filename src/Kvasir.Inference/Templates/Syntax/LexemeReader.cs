namespace Kvasir.Inference.Templates.Syntax;

/// <summary>Walks along lexemes, of which the last is the end and is never passed.</summary>
sealed class LexemeReader(IReadOnlyList<Lexeme> lexemes)
{
    int _next;
    int _depth;

    public Lexeme Next => lexemes[_next];

    public int Line => Next.Line;

    public bool IsName(string name) => Next.Kind == LexemeKind.Name && Next.Text == name;

    public bool IsOperator(string sign) => Next.Kind == LexemeKind.Operator && Next.Text == sign;

    /// <summary>Whether this name stands behind the next lexeme.</summary>
    public bool IsSecondName(string name) =>
        _next + 1 < lexemes.Count && lexemes[_next + 1] is { Kind: LexemeKind.Name } second && second.Text == name;

    public Lexeme Take() => Next.Kind == LexemeKind.End ? Next : lexemes[_next++];

    public bool TakeName(string name) => IsName(name) && Take() is var _;

    public bool TakeOperator(string sign) => IsOperator(sign) && Take() is var _;

    public Lexeme Expect(LexemeKind kind, string expected) => Next.Kind == kind ? Take() : throw Unexpected(expected);

    public void ExpectOperator(string sign)
    {
        if (!TakeOperator(sign)) throw Unexpected($"'{sign}'");
    }

    public TemplateException Unexpected(string expected) => Fail(Next.Shown, expected);

    public TemplateException Fail(string seen, string expected) => new($"line {Line}: {seen}, expected {expected}");

    /// <summary>Reads what lies inside something else, but not too deep inside.</summary>
    public T Inside<T>(Func<T> read)
    {
        if (++_depth > Limits.SourceDepth) throw Fail($"more than {Limits.SourceDepth} levels of brackets and blocks", "fewer");
        T inner = read();
        _depth--;
        return inner;
    }
}
