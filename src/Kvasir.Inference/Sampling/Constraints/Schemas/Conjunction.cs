using System.Text.Json;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>
/// Schemas that a value has to satisfy all at once, with references and <c>allOf</c> resolved. What says nothing of its own is left out.
/// </summary>
sealed class Conjunction
{
    const int Each = 256, KeywordsAsked = 64; // steps

    readonly SchemaDocument _document;
    readonly List<Conjunct> _conjuncts;
    readonly HashSet<string> _included = [];

    /// <param name="document">What references refer to.</param>
    /// <param name="resolved">Of another conjunction.</param>
    /// <param name="schemas">Those to be added.</param>
    /// <param name="limits">What else holds.</param>
    public Conjunction(SchemaDocument document, IEnumerable<Conjunct> resolved, IEnumerable<Keyword> schemas, ValueLimits? limits = null)
    {
        (_document, Limits) = (document, limits ?? ValueLimits.None);
        _conjuncts = [.. resolved.Where(conjunct => !conjunct.IsSpent)];
        foreach (Conjunct conjunct in _conjuncts)
            Spend(conjunct.Schema, _included.Add(conjunct.Schema.Path.ToString()));
        foreach (Keyword schema in schemas)
            Include(schema);
    }

    public IReadOnlyList<Conjunct> Conjuncts => _conjuncts;

    public ValueLimits Limits { get; }

    /// <summary>A schema that is <c>false</c>, if there is one.</summary>
    public Keyword? Never { get; private set; }

    /// <summary>Equal keys have equal texts.</summary>
    public string Key => string.Join('\n', _conjuncts.Select(conjunct => conjunct.Key)) + Limits.Key;

    /// <summary>The first options of which one is still to be chosen, and whether exactly one has to hold.</summary>
    public (Keyword Options, bool IsExact)? Choice
    {
        get
        {
            int choosing = _conjuncts.FindIndex(conjunct => conjunct.Options is not null);
            return choosing < 0 ? null : (_conjuncts[choosing].Options!.Value, _conjuncts[choosing].IsExact);
        }
    }

    /// <summary>One of those options with all that stands beside them.</summary>
    public Conjunction With(Keyword option, ValueLimits? limits = null)
    {
        int choosing = _conjuncts.FindIndex(conjunct => conjunct.Options is not null);
        return new(_document, _conjuncts.Select((conjunct, i) => i == choosing ? conjunct.WithoutOptions : conjunct), [option],
            limits ?? Limits);
    }

    /// <summary>All that both say.</summary>
    public Conjunction And(Conjunction other) => new(_document, [.. _conjuncts, .. other._conjuncts], []);

    public string Pointer => _conjuncts.Count > 0 ? _conjuncts[0].Schema.Path.ToString() : "#";

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
    void Include(Keyword schema)
    {
        if (schema.Value.ValueKind is JsonValueKind.True or JsonValueKind.False)
            Never ??= schema.Flag() ? null : schema;
        else if (schema.Value.ValueKind != JsonValueKind.Object)
            throw schema.Refused("a schema: an object, true or false");
        else if (Spend(schema, _included.Add(schema.Path.ToString())))
            IncludeObject(new(schema));
    }

    void IncludeObject(Conjunct conjunct)
    {
        conjunct.Check();
        if (!conjunct.IsSpent)
            _conjuncts.Add(conjunct);
        if (conjunct.Find("$ref") is { } reference)
            Include(_document.Resolve(reference));
        if (conjunct.Find("allOf") is { } all)
            foreach (Keyword part in all.Elements())
                Include(part);
    }

    /// <summary>Pays for the path's text and for finding keywords among the others.</summary>
    bool Spend(Keyword schema, bool isNew)
    {
        _document.Work.Spend(Each + schema.Path.ToString().Length + KeywordsAsked * schema.Value.GetPropertyCount());
        return isNew;
    }
}
