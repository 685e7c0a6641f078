using System.Collections.Immutable;
using System.Globalization;

namespace Kvasir.Inference.Sampling.Constraints.Automata;

/// <summary>
/// Reads regular expressions in ECMAScript's notation (ECMA-262, "RegExp"). What no finite automaton can do, and anchors inside the
/// expression, are refused. Greedy or not makes no difference to which texts fit.
/// </summary>
sealed class PatternParser
{
    const int MaxNesting = 64, MaxCount = 100_000;

    readonly string _pattern;
    readonly Func<CharacterSet, ByteExpression> _bytes;
    int _at;
    int _nesting;

    PatternParser(string pattern, Func<CharacterSet, ByteExpression> bytes) => (_pattern, _bytes) = (pattern, bytes);

    /// <summary>An expression that the whole text has to fit.</summary>
    /// <param name="pattern">Anchors say nothing that is not so anyway.</param>
    /// <param name="bytes">How a character is written.</param>
    public static ByteExpression Whole(string pattern, Func<CharacterSet, ByteExpression> bytes)
    {
        PatternParser parser = new(pattern, bytes);
        ByteExpression whole = parser.Alternatives(parser.WholeTerms);
        return parser._at == pattern.Length ? whole : throw parser.Refused("')' without '('");
    }

    /// <summary>An expression that fits somewhere in the text, unless its alternatives begin with ^ and end with $.</summary>
    /// <exception cref="PatternException">It is not well formed or needs more than an automaton.</exception>
    public static ByteExpression Search(string pattern, Func<CharacterSet, ByteExpression> bytes)
    {
        PatternParser parser = new(pattern, bytes);
        ByteExpression search = parser.Alternatives(parser.AnchoredTerms);
        return parser._at == pattern.Length ? search : throw parser.Refused("')' without '('");
    }

    ByteExpression Alternatives(Func<ByteExpression> alternative)
    {
        var options = ImmutableArray.CreateBuilder<ByteExpression>();
        do
            options.Add(alternative());
        while (Take('|'));
        return options.Count == 1 ? options[0] : new Alternation(options.ToImmutable());
    }

    ByteExpression AnchoredTerms()
    {
        ByteExpression anything = _bytes(CharacterSet.All).Times(0, null);
        ByteExpression before = Take('^') ? ByteExpression.Empty : anything;
        ByteExpression terms = Terms();
        return before + terms + (Take('$') ? ByteExpression.Empty : anything);
    }

    ByteExpression WholeTerms()
    {
        Take('^');
        ByteExpression terms = Terms();
        Take('$');
        return terms;
    }

    ByteExpression Terms()
    {
        var terms = ImmutableArray.CreateBuilder<ByteExpression>();
        while (_at < _pattern.Length && _pattern[_at] is not ('|' or ')') && !IsLastAnchor())
            terms.Add(Quantified(Term()));
        return new Concatenation(terms.ToImmutable());
    }

    bool IsLastAnchor() => _pattern[_at] == '$' && _nesting == 0 && (_at + 1 == _pattern.Length || _pattern[_at + 1] == '|');

    ByteExpression Term()
    {
        char next = _pattern[_at];
        if (next == '(')
            return Group();
        if (next is '^' or '$')
            throw Refused($"the anchor '{next}' inside the expression");
        if (next is '*' or '+' or '?' or '{')
            throw Refused($"'{next}' with nothing to repeat");
        return _bytes(new CharacterSetParser(_pattern, this).Next(ref _at));
    }

    ByteExpression Group()
    {
        _at++;
        if (++_nesting > MaxNesting)
            throw Refused($"groups nested deeper than {MaxNesting}");
        SkipGroupHead();
        ByteExpression inner = Alternatives(Terms);
        if (!Take(')'))
            throw Refused("'(' without ')'");
        _nesting--;
        return inner;
    }

    /// <summary>Groups may be plain, <c>(?:…)</c> or named; what looks around is no part of a regular language's notation here.</summary>
    void SkipGroupHead()
    {
        if (!Take('?') || Take(':'))
            return;
        int end = _pattern.IndexOf('>', _at);
        if (!Take('<') || end < 0 || _at == _pattern.Length || _pattern[_at] is '=' or '!')
            throw Refused("a group that looks ahead or behind, or has flags");
        _at = end + 1;
    }

    ByteExpression Quantified(ByteExpression term)
    {
        (int Least, int? Most)? times = Quantifier();
        if (times is null)
            return term;
        Take('?'); // lazy
        if (times.Value.Most < times.Value.Least)
            throw Refused("a quantifier that ends before it begins");
        return term.Times(times.Value.Least, times.Value.Most);
    }

    (int Least, int? Most)? Quantifier()
    {
        if (Take('*')) return (0, null);
        if (Take('+')) return (1, null);
        if (Take('?')) return (0, 1);
        if (!Take('{')) return null;
        int least = Count();
        int? most = !Take(',') ? least : _at < _pattern.Length && char.IsAsciiDigit(_pattern[_at]) ? Count() : null;
        return Take('}') ? (least, most) : throw Refused("a quantifier without '}'");
    }

    int Count()
    {
        int start = _at;
        while (_at < _pattern.Length && char.IsAsciiDigit(_pattern[_at]))
            _at++;
        return int.TryParse(_pattern.AsSpan(start, _at - start), NumberStyles.None, CultureInfo.InvariantCulture, out int count)
            && count <= MaxCount
            ? count
            : throw Refused($"a quantifier without a number of at most {MaxCount}");
    }

    bool Take(char expected)
    {
        if (_at == _pattern.Length || _pattern[_at] != expected)
            return false;
        _at++;
        return true;
    }

    public PatternException Refused(string what) => new($"{what} at character {_at}");
}
