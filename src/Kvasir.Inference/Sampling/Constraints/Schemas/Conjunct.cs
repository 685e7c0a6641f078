namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>A schema that a value has to satisfy along with others.</summary>
/// <param name="Schema">An object.</param>
/// <param name="WithoutAnyOf">Whether one of its options was chosen, so that <c>anyOf</c> counts no more.</param>
/// <param name="WithoutOneOf">The same for <c>oneOf</c>.</param>
readonly record struct Conjunct(Keyword Schema, bool WithoutAnyOf = false, bool WithoutOneOf = false)
{
    /// <summary>What schemas say about values, other than by way of other schemas for the same value.</summary>
    static readonly string[] s_statements =
    [
        "type", "enum", "const", "properties", "required", "additionalProperties", "minProperties", "maxProperties", "items",
        "prefixItems", "additionalItems", "minItems", "maxItems",
        "minLength", "maxLength", "pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum",
    ];

    /// <summary>
    /// Keywords that forbid values in ways that no automaton here can follow; leaving them out would give values that do not fit.
    /// </summary>
    static readonly string[] s_unsupported =
    [
        "not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies", "patternProperties",
        "propertyNames", "unevaluatedProperties",
        "unevaluatedItems", "contains", "minContains", "maxContains", "multipleOf", "$dynamicRef", "$recursiveRef",
    ];

    /// <summary>The same place and the same rest: the same texts.</summary>
    public string Key => $"{Schema.Path}{(WithoutAnyOf ? "\0a" : "")}{(WithoutOneOf ? "\0o" : "")}";

    /// <summary>The options of which one is still to be chosen.</summary>
    public Keyword? Options => AnyOf ?? OneOf;

    /// <summary>Whether exactly one of them has to hold, and not more.</summary>
    public bool IsExact => AnyOf is null;

    Keyword? AnyOf => WithoutAnyOf ? null : Find("anyOf");

    Keyword? OneOf => WithoutOneOf ? null : Find("oneOf");

    /// <summary>Whether it says nothing of its own.</summary>
    public bool IsSpent
    {
        get
        {
            Keyword schema = Schema;
            return Options is null && !s_statements.Any(name => schema.Member(name) is not null);
        }
    }

    public Conjunct WithoutOptions => AnyOf is null ? this with { WithoutOneOf = true } : this with { WithoutAnyOf = true };

    public Keyword? Find(string name) => Schema.Member(name);

    /// <summary>Throws for keywords that must not be ignored.</summary>
    public void Check()
    {
        foreach (string name in s_unsupported)
            if (Find(name) is { } keyword)
                throw keyword.Refused($"a schema without '{name}', which is not supported");
        if (Find("uniqueItems") is { } unique && unique.Flag())
            throw unique.Refused("a schema without 'uniqueItems', which is not supported");
    }
}
