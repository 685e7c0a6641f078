using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Json;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>Strings by length, pattern and format.</summary>
/// <param name="work">What making them may cost.</param>
/// <param name="schema">What they are made for.</param>
/// <param name="other">
/// What they have to satisfy, too, in anybody's reading: of its formats, all texts that a validator might accept.
/// </param>
sealed class StringValues(WorkLimit work, Conjunction schema, Conjunction? other = null)
{
    static readonly string[] s_keywords = ["minLength", "maxLength", "pattern", "format"];

    readonly int _least = Math.Max(schema.Least("minLength"), other?.Least("minLength") ?? 0),
        _most = Math.Min(schema.Most("maxLength"), other?.Most("maxLength") ?? int.MaxValue);

    ByteAutomaton? _automaton; // all that follows the opening quote, if there are patterns or formats
    bool _isMade;

    /// <summary>Length alone is counted; what has a pattern, too, is read by one automaton for all.</summary>
    public GrammarNode Make() => Automaton is { } automaton
        ? new Sequence(JsonText.Quote, new Terminal(automaton))
        : JsonText.String(_least, _most);

    /// <summary>Whether there is no such string.</summary>
    public bool IsEmpty => _least > _most || Automaton?.IsEmpty == true;

    /// <summary>Why there is no such string.</summary>
    public JsonSchemaException NoneIsLeft() =>
        Keyword.Contradiction([.. s_keywords.SelectMany(name => schema.All(name))], "a string that fits");

    /// <summary>Whether a value satisfies length, pattern and format.</summary>
    public bool Fits(string value)
    {
        int length = value.EnumerateRunes().Count();
        return length >= _least && length <= _most && Automaton?.Matches(CharacterBytes.Quote(value).AsSpan(1)) != false;
    }

    ByteAutomaton? Automaton
    {
        get
        {
            if (!_isMade)
                _automaton = MakeAutomaton();
            _isMade = true;
            return _automaton;
        }
    }

    ByteAutomaton? MakeAutomaton()
    {
        ByteAutomaton? all = null;
        foreach (Keyword pattern in All("pattern"))
            all = And(all, pattern, () => PatternParser.Search(pattern.Text(), CharacterBytes.InJson));
        foreach (Keyword format in schema.All("format"))
            all = Hold(all, format, StringFormats.Pattern(format.Text()));
        foreach (Keyword format in other?.All("format") ?? [])
            all = Hold(all, format, StringFormats.WidePattern(format.Text()));
        return all is null || (_least == 0 && _most == int.MaxValue)
            ? all
            : And(all, All("pattern").Concat(All("format")).First(), Length);
    }

    IEnumerable<Keyword> All(string name) => schema.All(name).Concat(other?.All(name) ?? []);

    ByteAutomaton Hold(ByteAutomaton? others, Keyword format, string? pattern) => pattern is null
        ? throw format.Refused("a format that strings can be held to (docs/http-api.md lists them), or none")
        : And(others, format, () => PatternParser.Whole(pattern, CharacterBytes.InJson));

    ByteExpression Length() => _least > _most
        ? ByteExpression.Never
        : CharacterBytes.InJson(CharacterSet.All).Times(_least, _most == int.MaxValue ? null : _most);

    ByteAutomaton And(ByteAutomaton? others, Keyword keyword, Func<ByteExpression> expression)
    {
        try
        {
            var automaton = ByteAutomaton.From(expression() + ByteExpression.Text("\""u8), work);
            return others is null ? automaton : AutomatonProduct.Both(others, automaton, work);
        }
        catch (PatternException refused)
        {
            throw keyword.Refused($"a regular expression without {refused.Message}");
        }
        catch (GrammarTooLargeException)
        {
            throw keyword.Refused("a simpler pattern or a shorter length with it");
        }
    }
}
