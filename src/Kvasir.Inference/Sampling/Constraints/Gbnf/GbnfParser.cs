using System.Collections.Immutable;
using System.Globalization;
using System.Text;
using Kvasir.Inference.Sampling.Constraints.Automata;

namespace Kvasir.Inference.Sampling.Constraints.Gbnf;

/// <summary>
/// Reads grammars in llama.cpp's notation: <c>name ::= "text" [a-z]+ (other | .){2,5} # remark</c>. A rule ends with its line, unless that
/// is inside parentheses, ends with a bar or is followed by one that begins with a bar.
/// </summary>
sealed class GbnfParser
{
    const int MaxNesting = 64, MaxCount = 100_000, MaxRules = 2_000, MaxRepeats = 8;

    readonly GbnfReader _reader;
    readonly OrderedDictionary<string, GbnfPart> _rules = [];
    readonly List<GbnfName> _named = [];
    int _nesting;

    GbnfParser(GbnfReader reader) => _reader = reader;

    /// <summary>The rules by name, in their order. All that are named are there.</summary>
    public static IReadOnlyDictionary<string, GbnfPart> Rules(GbnfReader reader)
    {
        GbnfParser parser = new(reader);
        reader.SkipSpace(lines: true);
        while (!reader.IsOver)
            parser.Rule();
        if (parser._named.Find(name => !parser._rules.ContainsKey(name.Rule)) is { } undefined)
            throw reader.Refused("a rule that the grammar defines", undefined.At);
        return parser._rules.ContainsKey("root") ? parser._rules : throw reader.Refused("a rule 'root'");
    }

    void Rule()
    {
        int start = _reader.At;
        string name = Name();
        _reader.SkipSpace(lines: false);
        if (name.Length == 0 || !_reader.Take("::="))
            throw _reader.Refused(name.Length == 0 ? "the name of a rule" : "'::='");
        _reader.SkipSpace(lines: true);
        if (_rules.ContainsKey(name))
            throw _reader.Refused("a name that no rule has yet", start);
        if (_rules.Count == MaxRules)
            throw _reader.Refused($"at most {MaxRules:N0} rules", start);
        _rules[name] = Alternatives();
        if (!_reader.IsOver && !_reader.IsLineEnd)
            throw _reader.Refused("a text, a class, a name, '(', '|' or the end of the line");
        _reader.SkipSpace(lines: true);
    }

    string Name() => _reader.TakeWhile(character => char.IsAsciiLetterOrDigit(character) || character is '-' or '_');

    GbnfPart Alternatives()
    {
        var options = ImmutableArray.CreateBuilder<GbnfPart>();
        do
        {
            _reader.SkipSpace(lines: options.Count > 0 || _nesting > 0);
            options.Add(Sequence());
        }
        while (_reader.SkipLinesTo('|') && _reader.Take("|"));
        return options.Count == 1 ? options[0] : new GbnfChoice(options.ToImmutable());
    }

    GbnfPart Sequence()
    {
        var items = ImmutableArray.CreateBuilder<GbnfPart>();
        while (Item() is { } item)
        {
            items.Add(Repeated(item));
            _reader.SkipSpace(lines: _nesting > 0);
        }
        return items.Count == 1 ? items[0] : new GbnfSequence(items.ToImmutable());
    }

    GbnfPart? Item()
    {
        int start = _reader.At;
        if (_reader.Take("\""))
            return Text(start);
        if (_reader.Take("["))
            return Character(Class(start));
        if (_reader.Take("."))
            return Character(CharacterSet.All);
        if (_reader.Take("("))
            return Group(start);
        if (Name() is not { Length: > 0 } name)
            return null;
        _named.Add(new GbnfName(name, start));
        return _named[^1];
    }

    static GbnfText Character(CharacterSet set) => new(CharacterBytes.Utf8(set), false);

    GbnfPart Group(int start)
    {
        if (++_nesting > MaxNesting)
            throw _reader.Refused($"parentheses nested at most {MaxNesting} deep", start);
        GbnfPart inner = Alternatives();
        _nesting--;
        return _reader.Take(")") ? inner : throw _reader.Refused("')'");
    }

    GbnfText Text(int start)
    {
        StringBuilder text = new();
        while (!_reader.Take("\""))
            text.Append(new Rune(One(start)).ToString());
        return new(ByteExpression.Text(Encoding.UTF8.GetBytes(text.ToString())), text.Length == 0);
    }

    CharacterSet Class(int start)
    {
        bool isNegated = _reader.Take("^");
        List<CharacterSet> members = [];
        while (!_reader.Take("]"))
        {
            int at = _reader.At, first = One(start);
            int last = !_reader.Is("-]") && _reader.Take("-") ? One(start) : first;
            members.Add(first <= last
                ? CharacterSet.Range(first, last)
                : throw _reader.Refused("a range that ends behind its beginning", at));
        }
        CharacterSet set = CharacterSet.Union(members);
        return isNegated ? set.Complement() : set;
    }

    /// <summary>One character of a text or class that began somewhere, escaped or not.</summary>
    int One(int start)
    {
        if (_reader.IsOver)
            throw _reader.Refused("what ends it somewhere", start);
        int at = _reader.At, character = _reader.TakeCharacter();
        if (character != '\\')
            return character;
        return _reader.IsOver ? throw _reader.Refused("an escape", at) : _reader.TakeCharacter() switch
        {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'x' => CodePoint(2, at),
            'u' => CodePoint(4, at),
            'U' => CodePoint(8, at),
            var escaped and ('"' or '\\' or '[' or ']' or '-' or '^' or '/' or '.') => escaped,
            _ => throw _reader.Refused("an escape: \\n, \\r, \\t, \\x12, \\u1234, \\U00012345, or a character that means something", at),
        };
    }

    int CodePoint(int digits, int at) =>
        _reader.TakeWhile(char.IsAsciiHexDigit, digits) is { } text && text.Length == digits
            && uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out uint value) && Rune.IsValid(value)
            ? (int)value
            : throw _reader.Refused($"a character in {digits} hexadecimal digits", at);

    GbnfPart Repeated(GbnfPart item)
    {
        GbnfPart whole = item;
        for (int repeats = 0; Repetition(whole) is { } repeated; repeats++)
            whole = repeats < MaxRepeats ? repeated : throw _reader.Refused($"at most {MaxRepeats} repetitions of one item", repeated.At);
        return whole;
    }

    GbnfRepetition? Repetition(GbnfPart item)
    {
        int at = _reader.At;
        if (_reader.Take("*"))
            return new(item, 0, null, at);
        if (_reader.Take("+"))
            return new(item, 1, null, at);
        if (_reader.Take("?"))
            return new(item, 0, 1, at);
        return _reader.Take("{") ? Counted(item, at) : null;
    }

    GbnfRepetition Counted(GbnfPart item, int at)
    {
        _reader.SkipSpace(lines: false);
        int least = Count(at);
        int? most = least;
        if (_reader.Take(","))
        {
            _reader.SkipSpace(lines: false);
            most = _reader.Is("}") ? null : Count(at);
        }
        return _reader.Take("}") && !(most < least)
            ? new(item, least, most, at)
            : throw _reader.Refused("a count: {2}, {2,} or {2,5}", at);
    }

    int Count(int at)
    {
        string digits = _reader.TakeWhile(char.IsAsciiDigit);
        _reader.SkipSpace(lines: false);
        return int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out int count) && count <= MaxCount
            ? count
            : throw _reader.Refused($"a count of at most {MaxCount:N0}: {{2}}, {{2,}} or {{2,5}}", at);
    }
}
