using System.Collections.Immutable;

namespace Kvasir.Inference.Sampling.Constraints.Schemas;

/// <summary>What keeps the values of one option of <c>oneOf</c> from satisfying another, where the options themselves do not.</summary>
/// <param name="Types">The types that are left.</param>
/// <param name="Without">Names of properties that an object must not have.</param>
/// <param name="Required">Names of properties that it must have.</param>
/// <param name="Except">Schemas that none of the listed values may satisfy.</param>
sealed record ValueLimits(JsonTypes Types, ImmutableArray<string> Without, ImmutableArray<string> Required,
    ImmutableArray<Conjunction> Except)
{
    public static ValueLimits None { get; } = new(JsonTypes.All, [], [], []);

    /// <summary>Equal keys, equal limits.</summary>
    public string Key => this == None
        ? ""
        : $"\n{(int)Types}\n{string.Join('\n', Without.Select(name => $"-{name}").Concat(Required.Select(name => $"+{name}")))}"
            + $"\0{string.Join("\n\n", Except.Select(schema => schema.Key))}";
}
