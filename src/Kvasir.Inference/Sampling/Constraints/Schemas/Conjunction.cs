using System.Text.Json;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>Schemas that a value has to satisfy all at once, with references and <c>allOf</c> resolved.</summary>
sealed class Conjunction
{
    readonly SchemaDocument _document;
    readonly List<Conjunct> _conjuncts = [];
    readonly HashSet<string> _included = [];

    public Conjunction(SchemaDocument document, IEnumerable<Conjunct> schemas)
    {
        _document = document;
        foreach (Conjunct schema in schemas)
            Include(schema);
    }

    public IReadOnlyList<Conjunct> Conjuncts => _conjuncts;

    /// <summary>Whether one of the schemas is <c>false</c>.</summary>
    public bool IsNever { get; private set; }

    /// <summary>Equal keys have equal texts.</summary>
    public string Key => string.Join('\n', _conjuncts.Select(conjunct => conjunct.Key));

    public string Pointer => _conjuncts.Count > 0 ? _conjuncts[0].Schema.Pointer : "#";

    public IEnumerable<Keyword> All(string name) => _conjuncts.Select(conjunct => conjunct.Find(name)).OfType<Keyword>();

    public bool Any(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            if (All(name).Any())
                return true;
        return false;
    }

    /// <summary>The largest of lower bounds.</summary>
    public int Least(string name) => All(name).Select(keyword => keyword.Count()).DefaultIfEmpty(0).Max();

    /// <summary>The smallest of upper bounds.</summary>
    public int Most(string name) => All(name).Select(keyword => keyword.Count()).DefaultIfEmpty(int.MaxValue).Min();

    /// <summary>A schema that a reference leads back to counts once.</summary>
    void Include(Conjunct conjunct)
    {
        Keyword schema = conjunct.Schema;
        if (schema.Value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            IsNever |= !schema.Flag();
        else if (schema.Value.ValueKind != JsonValueKind.Object)
            throw schema.Refused("a schema: an object, true or false");
        else if (_included.Add(schema.Pointer))
            IncludeObject(conjunct);
    }

    void IncludeObject(Conjunct conjunct)
    {
        conjunct.Check();
        _conjuncts.Add(conjunct);
        if (conjunct.Find("$ref") is { } reference)
            Include(new(_document.Resolve(reference)));
        if (conjunct.Find("allOf") is { } all)
            foreach (Keyword part in all.Elements())
                Include(new(part));
    }
}
