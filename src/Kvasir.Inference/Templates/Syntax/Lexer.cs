using Kvasir.Inference.Templates.Values;

namespace Kvasir.Inference.Templates.Syntax;

/// <summary>
/// Cuts a template into lexemes. White space goes as with transformers' settings: a line feed after a block goes (trim_blocks), so does
/// white space between the start of a line and a block (lstrip_blocks), and one line feed at the very end.
/// </summary>
sealed class Lexer
{
    static readonly string[] s_operators = ["**", "//", "==", "!=", "<=", ">=", .. "+-*/%~()[]{}<>=|.,:".Select(sign => sign.ToString())];

    readonly string _source;
    readonly List<Lexeme> _lexemes = [];
    int _at;
    int _line = 1;
    readonly Stack<char> _closing = []; // what the brackets that are open in a tag close with

    Lexer(string source) => _source = source;

    /// <exception cref="TemplateException">A tag, comment or text literal does not end, or a character means nothing.</exception>
    public static List<Lexeme> Read(string source)
    {
        source = source.Replace("\r\n", "\n", StringComparison.Ordinal).Replace('\r', '\n');
        var lexer = new Lexer(source.EndsWith('\n') ? source[..^1] : source);
        while (lexer._at < lexer._source.Length)
            lexer.ReadTextAndTag();
        lexer.Add(LexemeKind.End, "");
        return lexer._lexemes;
    }

    void ReadTextAndTag()
    {
        int tag = FindTag(), end = tag;
        bool isTag = tag < _source.Length;
        char kind = isTag ? _source[tag + 1] : '\0', sign = Peek(tag + 2);
        if (isTag && sign == '-') end = BeforeSpaces(tag);
        else if (isTag && sign != '+' && kind != '{') end = BeforeIndent(tag);
        if (end > _at) Add(LexemeKind.Text, _source[_at..end]);
        if (!isTag)
        {
            MoveTo(tag);
            return;
        }
        MoveTo(tag + (sign is '-' or '+' ? 3 : 2));
        if (kind == '#') SkipComment();
        else if (kind == '{') ReadTag(LexemeKind.BeginPrint, "{{", LexemeKind.EndPrint, "}}");
        else ReadTag(LexemeKind.BeginBlock, "{%", LexemeKind.EndBlock, "%}");
    }

    int FindTag()
    {
        for (int i = _at; i + 1 < _source.Length; i++)
            if (_source[i] == '{' && _source[i + 1] is '{' or '%' or '#')
                return i;
        return _source.Length;
    }

    int BeforeSpaces(int tag)
    {
        while (tag > _at && PythonText.IsSpace(_source[tag - 1])) tag--;
        return tag;
    }

    /// <summary>Where the tag's line starts if only white space stands before the tag.</summary>
    int BeforeIndent(int tag)
    {
        int start = tag;
        while (start > _at && _source[start - 1] != '\n' && PythonText.IsSpace(_source[start - 1])) start--;
        return start == 0 || _source[start - 1] == '\n' ? start : tag;
    }

    void SkipComment()
    {
        int end = _source.IndexOf("#}", _at, StringComparison.Ordinal);
        if (end < 0) throw Fail("a comment that does not end", "'#}'");
        bool isLonger = end > _at;
        char sign = isLonger ? _source[end - 1] : '\0';
        MoveTo(end + 2);
        SkipAfterBlock(sign);
    }

    void ReadTag(LexemeKind begin, string opening, LexemeKind end, string closing)
    {
        Add(begin, opening);
        while (true)
        {
            SkipSpaces();
            bool isSigned = Peek(_at) == '-' || (Peek(_at) == '+' && end == LexemeKind.EndBlock);
            if (_closing.Count == 0 && string.CompareOrdinal(_source, _at + (isSigned ? 1 : 0), closing, 0, 2) == 0)
            {
                char sign = isSigned ? _source[_at] : '\0';
                Add(end, closing);
                MoveTo(_at + (isSigned ? 3 : 2));
                if (end == LexemeKind.EndBlock || sign == '-') SkipAfterBlock(sign);
                return;
            }
            if (_at == _source.Length)
                throw Fail("the end of the template", _closing.TryPeek(out char bracket) ? $"'{bracket}'" : $"'{closing}'");
            ReadLexeme();
        }
    }

    void SkipAfterBlock(char sign)
    {
        if (sign == '-') SkipSpaces();
        else if (sign != '+' && Peek(_at) == '\n') MoveTo(_at + 1);
    }

    void ReadLexeme()
    {
        char first = _source[_at];
        if (first is '"' or '\'') ReadTextLiteral(first);
        else if (char.IsAsciiDigit(first)) ReadNumber();
        else if (IsNamePart(first)) Take(LexemeKind.Name, LengthWhile(_at, IsNamePart));
        else ReadOperator();
    }

    void ReadOperator()
    {
        string sign = s_operators.FirstOrDefault(sign => string.CompareOrdinal(_source, _at, sign, 0, sign.Length) == 0)
            ?? throw Fail(Formats.Printable.Quote(_source[_at].ToString()), "a name, a literal or an operator");
        if (sign is "(" or "[" or "{") _closing.Push(sign == "(" ? ')' : sign == "[" ? ']' : '}');
        else if (sign is (")" or "]" or "}") && _closing.TryPop(out char due) && sign[0] != due) throw Fail($"'{sign}'", $"'{due}'");
        Take(LexemeKind.Operator, sign.Length);
    }

    void ReadTextLiteral(char quote)
    {
        int end = _at + 1;
        while (end < _source.Length && _source[end] != quote)
            end += _source[end] == '\\' ? 2 : 1;
        if (end >= _source.Length) throw Fail("a text literal that does not end", $"{quote}");
        Add(LexemeKind.TextLiteral, TextLiteral.Unescape(_source.AsSpan(_at + 1, end - _at - 1)));
        MoveTo(end + 1);
    }

    /// <summary>
    /// An integer, or a float if a fraction or exponent follows. A point with no digit behind it belongs to what follows, and behind a
    /// point stand integers: list.0.1 has two.
    /// </summary>
    void ReadNumber()
    {
        int length = LengthWhile(_at, IsDigit);
        if (_source[_at - 1] == '.')
        {
            Take(LexemeKind.Integer, length);
            return;
        }
        bool isFloat = false;
        if (Peek(_at + length) == '.' && char.IsAsciiDigit(Peek(_at + length + 1)))
            (length, isFloat) = (length + 1 + LengthWhile(_at + length + 1, IsDigit), true);
        int sign = Peek(_at + length + 1) is '+' or '-' ? 2 : 1;
        if (Peek(_at + length) is 'e' or 'E' && char.IsAsciiDigit(Peek(_at + length + sign)))
            (length, isFloat) = (length + sign + LengthWhile(_at + length + sign, IsDigit), true);
        Take(isFloat ? LexemeKind.Float : LexemeKind.Integer, length);
    }

    static bool IsDigit(char unit) => char.IsAsciiDigit(unit) || unit == '_';

    static bool IsNamePart(char unit) => unit == '_' || char.IsLetterOrDigit(unit);

    int LengthWhile(int start, Func<char, bool> condition)
    {
        int end = start;
        while (end < _source.Length && condition(_source[end])) end++;
        return end - start;
    }

    char Peek(int at) => at < _source.Length ? _source[at] : '\0';

    void SkipSpaces() => MoveTo(_at + LengthWhile(_at, PythonText.IsSpace));

    void Take(LexemeKind kind, int length)
    {
        Add(kind, _source.Substring(_at, length));
        MoveTo(_at + length);
    }

    void Add(LexemeKind kind, string text) => _lexemes.Add(new Lexeme(kind, text, _line));

    void MoveTo(int place)
    {
        _line += _source.AsSpan(_at, place - _at).Count('\n');
        _at = place;
    }

    TemplateException Fail(string seen, string expected) => new($"line {_line}: {seen}, expected {expected}");
}
