using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints.Json;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>
/// Arrays: first the items that have schemas of their own, then any number of equal ones, which are counted and not copied.
/// </summary>
sealed class ArrayValues(SchemaCompiler compiler, Conjunction schema)
{
    readonly JsonSyntax _syntax = SchemaCompiler.Syntax;
    readonly int _least = schema.Least("minItems");

    /// <summary>What each schema says of the first items, and of others.</summary>
    readonly (IReadOnlyList<Keyword> Prefix, Keyword? Items)[] _statements =
        [.. schema.Conjuncts.Select(Statement)];

    /// <summary>
    /// Until 2019 the first items stood in <c>items</c>, as some libraries still write them, and the others in another keyword.
    /// </summary>
    static (IReadOnlyList<Keyword> Prefix, Keyword? Items) Statement(Conjunct conjunct) =>
        conjunct.Find("items") is { Value.ValueKind: JsonValueKind.Array } first
            ? (first.Elements(), conjunct.Find("additionalItems"))
            : (conjunct.Find("prefixItems")?.Elements() ?? [], conjunct.Find("items"));

    public GrammarNode Make()
    {
        int prefix = Prefix;
        int most = _statements.Select(Room).Append(schema.Most("maxItems")).Min();
        compiler.Work.Spend((1L + prefix) * _statements.Length);
        if (_least > most)
            return compiler.Add(new Choice(), NoneIsLeft);
        prefix = Math.Min(prefix, most);
        GrammarNode items = Rest(prefix, most);
        for (int i = prefix - 1; i >= 0; i--)
        {
            GrammarNode item = compiler.Values(Schemas(i));
            GrammarNode more = Add(i == 0 ? new Sequence(item, items) : new Sequence(_syntax.Comma, item, items));
            items = Optional(more, i);
        }
        return Add(new Nested(Add(_syntax.ArrayBody(items))));
    }

    /// <summary>How many items have schemas of their own.</summary>
    public int Prefix => _statements.Select(statement => statement.Prefix.Count).DefaultIfEmpty(0).Max();

    JsonSchemaException NoneIsLeft() =>
        Keyword.Contradiction([.. schema.All("minItems"), .. schema.All("maxItems"), .. schema.All("prefixItems")],
            "room for the least number of items");

    T Add<T>(T node) where T : GrammarNode => compiler.Add(node);

    /// <summary>What comes after so many items, left out where the array may end there.</summary>
    GrammarNode Optional(GrammarNode more, int items) => items < _least ? more : Add(new Choice(Sequence.Nothing, more));

    /// <summary>The items after those with schemas of their own.</summary>
    GrammarNode Rest(int prefix, int most)
    {
        if (most == prefix)
            return Sequence.Nothing;
        GrammarNode item = compiler.Values(Schemas(prefix));
        int left = most == int.MaxValue ? most : most - prefix;
        if (prefix == 0)
            return Add(new Repetition(item, _syntax.Comma, _least, left));
        GrammarNode items = Add(new Repetition(item, _syntax.Comma, Math.Max(1, _least - prefix), left));
        return Optional(Add(new Sequence(_syntax.Comma, items)), prefix);
    }

    /// <summary>
    /// How many items a schema has room for: where it lists some and does not speak of more, there are no more than it asks for.
    /// </summary>
    int Room((IReadOnlyList<Keyword> Prefix, Keyword? Items) statement) => statement switch
    {
        (var prefix, { Value.ValueKind: JsonValueKind.False }) => prefix.Count,
        ({ Count: > 0 } prefix, null) => Math.Max(prefix.Count, _least),
        _ => int.MaxValue,
    };

    /// <summary>All that is said of an item.</summary>
    public IEnumerable<Keyword> Schemas(int position)
    {
        foreach ((IReadOnlyList<Keyword> prefix, Keyword? items) in _statements)
            if (position < prefix.Count)
                yield return prefix[position];
            else if (items is not null)
                yield return items.Value;
    }
}
