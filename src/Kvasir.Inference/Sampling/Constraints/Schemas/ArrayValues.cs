using System.Text.Json;
using Kvasir.Inference.Sampling.Constraints.Json;
using Kvasir.Inference.Sampling.Constraints.Nodes;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>Arrays: first the items that have schemas of their own, then any number of equal ones, which are counted and not copied.</summary>
sealed class ArrayValues(SchemaCompiler compiler, Conjunction schema)
{
    readonly JsonSyntax _syntax = SchemaCompiler.Syntax;
    readonly int _least = schema.Least("minItems");

    public GrammarNode Make()
    {
        int prefix = schema.All("prefixItems").Select(items => items.Elements().Count).DefaultIfEmpty(0).Max();
        int most = Math.Min(schema.Most("maxItems"), schema.Conjuncts.Min(Closed));
        if (_least > most)
            return Add(new Choice());
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

    /// <summary>How many items a schema has room for: where it lists some and does not speak of more, there are no more than it asks for.</summary>
    int Closed(Conjunct conjunct)
    {
        int listed = conjunct.Find("prefixItems")?.Elements().Count ?? 0;
        if (conjunct.Find("items") is { } items)
            return items.Value.ValueKind == JsonValueKind.False ? listed : int.MaxValue;
        return listed > 0 ? Math.Max(listed, _least) : int.MaxValue;
    }

    IEnumerable<Conjunct> Schemas(int position)
    {
        foreach (Conjunct conjunct in schema.Conjuncts)
            if (conjunct.Find("prefixItems")?.Elements() is { } prefix && position < prefix.Count)
                yield return new(prefix[position]);
            else if (conjunct.Find("items") is { } items)
                yield return new(items);
    }
}
