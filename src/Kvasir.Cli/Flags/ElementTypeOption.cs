using System.Collections.Immutable;
using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Flags;

/// <summary>Options that say how something is stored. Weights know more types than keys and values.</summary>
static class ElementTypeOption
{
    public static Option<ElementType?> OfWeights(string name, string description) =>
        Create(name, description, ElementType.OfWeights, "weights");

    public static Option<ElementType?> OfKv(string name, string description) =>
        Create(name, description, ElementType.OfKv, "keys and values");

    /// <summary>Keys and values where nothing is said of them.</summary>
    public static ElementType KvDefault { get; } = ElementType.Find("f16", ElementType.OfKv)!;

    /// <summary>The flags of keys and values: of both, of either.</summary>
    public static KvTypeOptions ForKv(string description) => new(
        OfKv("--kv-type", description), OfKv("--kv-type-k", "How keys are stored, where otherwise"),
        OfKv("--kv-type-v", "How values are stored, where otherwise"));

    static Option<ElementType?> Create(string name, string description, ImmutableArray<ElementType> allowed, string what) => new(name)
    {
        Description = $"{description}; one of {ElementType.Names(allowed)}",
        HelpName = "TYPE",
        CustomParser = result =>
        {
            string given = result.Tokens[^1].Value;
            ElementType? found = ElementType.Find(given, allowed);
            if (found is null)
                result.AddError($"{name} {Printable.Quote(given)}: expected a type of {what}, one of {ElementType.Names(allowed)}");
            return found;
        },
    };
}

/// <summary>The flags that say how keys and values are stored, for sizes.</summary>
sealed record KvTypeOptions(Option<ElementType?> Both, Option<ElementType?> Keys, Option<ElementType?> Values)
{
    public IEnumerable<Option> All => [Both, Keys, Values];

    public KvTypes Read(ParseResult parsed)
    {
        ElementType usual = parsed.GetValue(Both) ?? ElementTypeOption.KvDefault;
        return new KvTypes(parsed.GetValue(Keys) ?? usual, parsed.GetValue(Values) ?? usual);
    }
}
