using System.Text.Json;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>
/// Whether values that are made for one schema may satisfy another. It may say that they may where none does, and never the other way
/// round.
/// </summary>
sealed class SchemaOverlap(SchemaCompiler compiler)
{
    const int MaxDepth = 6;

    readonly Dictionary<(Conjunction, bool), StringValues> _strings = [];

    /// <summary>Whether no value of a type that is made for the first satisfies the second.</summary>
    public bool IsEmpty(Conjunction made, Conjunction other, JsonTypes type, int depth = 0)
    {
        compiler.Work.Spend(1000);
        if (depth > MaxDepth)
            return false;
        if (made.Choice is { } ours)
            return ours.Options.Elements().All(option => IsEmpty(made.With(option), other, type, depth + 1));
        if (other.Choice is { } theirs)
            return theirs.Options.Elements().All(option => IsEmpty(made, other.With(option), type, depth + 1));
        if (made.Never is not null || other.Never is not null
            || (SchemaTypes.Meant(made) & SchemaTypes.Stated(other) & type) == 0)
            return true;
        if (ListedValues.Of(made) is { } values)
            return values.All(value => (SchemaTypes.Of(value.Value) & type) == 0 || !MayAdmit(other, value.Value));
        if (ListedValues.Of(other) is { } others)
            return others.All(value => (SchemaTypes.Of(value.Value) & type) == 0 || !Admits(made, value.Value, widely: false));
        return type switch
        {
            JsonTypes.Integer or JsonTypes.Fraction => new NumberValues(compiler.Work, made.And(other)).IsEmpty(type),
            JsonTypes.String => new StringValues(compiler.Work, made, other).IsEmpty,
            JsonTypes.Array => HasNoArrays(made, other, depth),
            JsonTypes.Object => HasNoObjects(new(compiler, made), new(compiler, other), depth),
            _ => false,
        };
    }

    /// <summary>A property that all objects of the second have and those of the first need not.</summary>
    public string? OnlyWith(Conjunction made, Conjunction other) =>
        new ObjectValues(compiler, other).Required.Except(new ObjectValues(compiler, made).Required).FirstOrDefault();

    /// <summary>A property whose values in the first the second does not allow, such as a constant that names the kind.</summary>
    public string? ToldApartBy(Conjunction made, Conjunction other)
    {
        ObjectValues objects = new(compiler, made), others = new(compiler, other);
        return objects.Names.FirstOrDefault(name => objects.MayHave(name) && compiler.All(objects.Schemas(name)).Never is null
            && HasNone(objects.Schemas(name), others.Schemas(name), 0));
    }

    /// <summary>Whether a value satisfies a schema in anybody's reading of its formats.</summary>
    public bool MayAdmit(Conjunction schema, JsonElement value) => Admits(schema, value, widely: true);

    /// <summary>Whether a value satisfies what a schema says beside the values that it lists.</summary>
    public bool AdmitsUnlisted(Conjunction schema, JsonElement value) => AdmitsUnlisted(schema, value, widely: false);

    bool Admits(Conjunction schema, JsonElement value, bool widely) =>
        ListedValues.Of(schema)?.Any(listed => JsonElement.DeepEquals(listed.Value, value)) != false
        && AdmitsUnlisted(schema, value, widely);

    bool AdmitsUnlisted(Conjunction schema, JsonElement value, bool widely)
    {
        compiler.Work.Spend(64);
        if (schema.Never is not null || (SchemaTypes.Of(value) & SchemaTypes.Stated(schema)) == 0)
            return false;
        if (schema.Choice is { } choice)
            return choice.Options.Elements().Count(option => Admits(schema.With(option), value, widely)) is var fitting
                && (choice.IsExact && !widely ? fitting == 1 : fitting > 0);
        return value.ValueKind switch
        {
            JsonValueKind.String => Strings(schema, widely).Fits(value.GetString()!),
            JsonValueKind.Number => new NumberValues(compiler.Work, schema).Fits(value),
            JsonValueKind.Array => AdmitsArray(schema, value, widely),
            JsonValueKind.Object => AdmitsObject(schema, new(compiler, schema), value, widely),
            _ => true,
        };
    }

    StringValues Strings(Conjunction schema, bool widely) => _strings.TryGetValue((schema, widely), out StringValues? strings)
        ? strings
        : _strings[(schema, widely)] = widely ? new(compiler.Work, compiler.All([]), schema) : new(compiler.Work, schema);

    bool AdmitsArray(Conjunction schema, JsonElement value, bool widely)
    {
        ArrayValues arrays = new(compiler, schema);
        return value.GetArrayLength() >= schema.Least("minItems") && value.GetArrayLength() <= schema.Most("maxItems")
            && value.EnumerateArray().Index().All(item => Admits(compiler.All(arrays.Schemas(item.Index)), item.Item, widely));
    }

    bool AdmitsObject(Conjunction schema, ObjectValues objects, JsonElement value, bool widely)
    {
        int members = value.GetPropertyCount();
        return members >= schema.Least("minProperties") && members <= schema.Most("maxProperties")
            && objects.Required.All(name => value.TryGetProperty(name, out _))
            && value.EnumerateObject().All(member => Admits(compiler.All(objects.Schemas(member.Name)), member.Value, widely));
    }

    bool HasNoArrays(Conjunction made, Conjunction other, int depth)
    {
        int least = Math.Max(made.Least("minItems"), other.Least("minItems"));
        if (least > Math.Min(made.Most("maxItems"), other.Most("maxItems")))
            return true;
        ArrayValues arrays = new(compiler, made), others = new(compiler, other);
        return Enumerable.Range(0, Math.Min(least, 1 + Math.Max(arrays.Prefix, others.Prefix)))
            .Any(i => HasNone(arrays.Schemas(i), others.Schemas(i), depth));
    }

    bool HasNoObjects(ObjectValues made, ObjectValues other, int depth) =>
        made.Required.Union(other.Required).Any(name => !made.MayHave(name) || HasNone(made.Schemas(name), other.Schemas(name), depth));

    bool HasNone(IEnumerable<Keyword> made, IEnumerable<Keyword> other, int depth) =>
        IsEmptyOfAll(compiler.All(made), compiler.All(other), depth + 1);

    bool IsEmptyOfAll(Conjunction made, Conjunction other, int depth) =>
        Enum.GetValues<JsonTypes>().Where(type => int.IsPow2((int)type)).All(type => IsEmpty(made, other, type, depth));
}
