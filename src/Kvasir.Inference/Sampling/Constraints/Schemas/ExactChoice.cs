using System.Text.Json;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>
/// The options of <c>oneOf</c>, each without the values that another allows, too. Where that cannot be told, the schema is refused.
/// </summary>
sealed class ExactChoice(SchemaCompiler compiler, Conjunction schema, Keyword options)
{
    static readonly JsonTypes[] s_types = [JsonTypes.Null, JsonTypes.Boolean, JsonTypes.Integer, JsonTypes.Fraction,
        JsonTypes.String, JsonTypes.Array, JsonTypes.Object];

    readonly IReadOnlyList<Keyword> _options = options.Elements();
    readonly SchemaOverlap _overlap = new(compiler);

    public IEnumerable<Conjunction> Alternatives()
    {
        compiler.Work.Spend(256L * _options.Count * _options.Count);
        return _options.Select((_, i) => Alternative(i));
    }

    Conjunction Alternative(int option)
    {
        Conjunction made = schema.With(_options[option]);
        for (int other = 0; other < _options.Count; other++)
            if (other != option)
                made = Apart(made, schema.With(_options[other])) is { } limits
                    ? schema.With(_options[option], limits)
                    : throw JsonSchemaException.At(options.Path.ToString(), $"options {option} and {other} may have values in common",
                        "options that exclude each other by a type, a constant, bounds or a property; or anyOf");
        return made;
    }

    /// <summary>Limits under which no value satisfies the other schema, too; null where none are found.</summary>
    ValueLimits? Apart(Conjunction made, Conjunction other)
    {
        ValueLimits limits = made.Limits;
        if (made.Never is not null || other.Never is not null)
            return limits;
        if (made.Choice is null && made.Any("enum", "const"))
            return limits with { Except = limits.Except.Add(other) };
        JsonTypes shared = (made.Choice is null ? SchemaTypes.Meant(made) : SchemaTypes.Stated(made)) & SchemaTypes.Stated(other);
        foreach (JsonTypes type in s_types.Where(type => shared.HasFlag(type) && !_overlap.IsEmpty(made, other, type)))
            if (SchemaTypes.SaysNothingOf(other, type))
                limits = limits with { Types = limits.Types & ~type };
            else if (type == JsonTypes.Object && _overlap.ToldApartBy(made, other) is { } tag)
                limits = limits with { Required = limits.Required.Add(tag) };
            else if (type == JsonTypes.Object && _overlap.OnlyWith(made, other) is { } name)
                limits = limits with { Without = limits.Without.Add(name) };
            else
                return null;
        return limits;
    }
}
