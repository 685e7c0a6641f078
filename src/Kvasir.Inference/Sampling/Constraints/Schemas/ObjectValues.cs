using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints.Automata;
using Kvasir.Inference.Sampling.Constraints.Json;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>
/// Objects: the properties in their order, those that are not required each there or not, then any additional ones. An additional property
/// has none of the listed names, whatever it would be.
/// </summary>
sealed class ObjectValues(SchemaCompiler compiler, Conjunction schema)
{
    readonly JsonSyntax _syntax = SchemaCompiler.Syntax;

    /// <summary>What each schema says of listed properties, and of others.</summary>
    readonly (IReadOnlyDictionary<string, Keyword>? Listed, Keyword? Additional)[] _statements =
        [.. schema.Conjuncts.Select(conjunct => (conjunct.Find("properties")?.Members(), conjunct.Find("additionalProperties")))];

    /// <summary>The names of properties that every object has.</summary>
    public IReadOnlySet<string> Required { get; } =
        schema.All("required").SelectMany(names => names.Elements()).Select(name => name.Text())
            .Concat(schema.Limits.Required).ToHashSet();

    public GrammarNode Make()
    {
        string[] names = Names;
        compiler.Work.Spend((1L + _statements.Length) * (1 + names.Length));
        Sequence? additional = Additional(names);
        CheckCounts(names.Length, additional);
        GrammarNode first = Sequence.Nothing, after = Sequence.Nothing; // from a property on: nothing written yet, or something
        if (additional is not null)
        {
            first = Add(new Repetition(additional, _syntax.Comma, 0, int.MaxValue));
            after = Add(new Choice(Sequence.Nothing, Following(Add(new Repetition(additional, _syntax.Comma, 1, int.MaxValue)))));
        }
        foreach (string name in names.Reverse())
        {
            GrammarNode value = schema.Limits.Without.Contains(name) ? Add(new Choice()) : compiler.Values(Schemas(name));
            GrammarNode property = Add(new Sequence(JsonSyntax.Key(name, compiler.Work), value));
            GrammarNode begun = Add(new Sequence(property, after));
            bool isRequired = Required.Contains(name);
            first = isRequired ? begun : Add(new Choice(begun, first));
            after = isRequired ? Following(begun) : Add(new Choice(Following(begun), after));
        }
        return Add(new Nested(Add(_syntax.ObjectBody(first))));
    }

    T Add<T>(T node) where T : GrammarNode => compiler.Add(node);

    Sequence Following(GrammarNode first) => Add(new Sequence(_syntax.Comma, first));

    /// <summary>The names that are spoken of, in the order of the properties.</summary>
    public string[] Names =>
        [.. _statements.SelectMany(statement => statement.Listed?.Keys ?? []).Concat(Required).Concat(schema.Limits.Without).Distinct()];

    /// <summary>Whether an object that is made may have a property.</summary>
    public bool MayHave(string name) => !schema.Limits.Without.Contains(name) && (!IsClosed(Names.Length) || Names.Contains(name));

    /// <summary>All that is said of a property: where one schema does not list it, what it says of additional ones.</summary>
    public IEnumerable<Keyword> Schemas(string name)
    {
        foreach ((IReadOnlyDictionary<string, Keyword>? listed, Keyword? additional) in _statements)
            if (listed is not null && listed.TryGetValue(name, out Keyword property))
                yield return property;
            else if (additional is not null)
                yield return additional.Value;
    }

    /// <summary>A key and value of an additional property, if there may be any.</summary>
    Sequence? Additional(string[] names)
    {
        if (IsClosed(names.Length))
            return null;
        Terminal rest = names.Length == 0 ? JsonText.StringRest : OtherNames(names);
        return Add(new Sequence(_syntax.StringKey(rest), compiler.Values(Stated)));
    }

    /// <summary>What is said of additional properties.</summary>
    Keyword[] Stated => [.. _statements.Select(statement => statement.Additional).OfType<Keyword>()];

    /// <summary>Whether there are no properties but so many listed ones.</summary>
    bool IsClosed(int listed) =>
        Stated.Any(additional => additional.Value.ValueKind == JsonValueKind.False) || (Stated.Length == 0 && listed > 0);

    Terminal OtherNames(string[] names)
    {
        var listed = ByteAutomaton.From(
            new Alternation([.. names.Select(name => ByteExpression.Text(CharacterBytes.Quote(name).AsSpan(1)))]), compiler.Work);
        return new Terminal(AutomatonProduct.Except(JsonText.PlainStringRest, listed, compiler.Work));
    }

    void CheckCounts(int listed, GrammarNode? additional)
    {
        foreach (Keyword least in schema.All("minProperties"))
            if (least.Count() > Required.Count)
                throw least.Refused($"at most the number of required properties, {Required.Count}");
        foreach (Keyword most in schema.All("maxProperties"))
            if (additional is not null || most.Count() < listed)
                throw most.Refused($"at least the number of listed properties, {listed}, and no additional ones");
    }
}
