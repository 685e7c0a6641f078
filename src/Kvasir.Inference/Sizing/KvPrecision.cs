using System.Collections.Immutable;
using Kvasir.Inference.Formats;

namespace Kvasir.Inference.Sizing;

/// <summary>How the elements of keys and values are stored: in groups, whose scales count.</summary>
/// <param name="Name">What users write.</param>
/// <param name="GroupElements">Elements that share a scale; 1 where each stands alone.</param>
/// <param name="GroupBytes">Bytes of a group, its scale included.</param>
public sealed record KvPrecision(string Name, int GroupElements, int GroupBytes)
{
    /// <summary>Every precision, the widest first. <c>q8_0</c> and <c>q4_0</c> are ggml's: 32 elements and a scale of two bytes.</summary>
    public static ImmutableArray<KvPrecision> All { get; } =
    [
        new("f32", 1, 4), new("f16", 1, 2), new("bf16", 1, 2), new("fp8", 1, 1), new("q8_0", 32, 34), new("q4_0", 32, 18),
    ];

    /// <summary>The precision of a name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static KvPrecision Parse(string name) => All.FirstOrDefault(precision => precision.Name.Equals(name, StringComparison.OrdinalIgnoreCase))
        ?? throw new ArgumentException($"KV type {Printable.Quote(name)}: expected one of {string.Join(", ", All.Select(precision => precision.Name))}");

    /// <summary>Bytes of an element as a factor: <c>2</c>, <c>34/32</c>.</summary>
    public string Factor => GroupElements == 1 ? $"{GroupBytes}" : $"{GroupBytes}/{GroupElements}";

    /// <summary>Whether rows of a model's heads are made of whole groups.</summary>
    public bool Holds(ModelSpec spec)
    {
        ArgumentNullException.ThrowIfNull(spec);
        return spec.Layers.All(layer => layer.KeyDim % GroupElements == 0 && layer.ValueDim % GroupElements == 0);
    }

    /// <summary>Bytes of one head's key or value of one token.</summary>
    /// <exception cref="ArgumentException">The row is not made of whole groups.</exception>
    public long RowBytes(int elements) => elements % GroupElements == 0
        ? (long)elements / GroupElements * GroupBytes
        : throw new ArgumentException($"KV type {Name} stores groups of {GroupElements} elements: a row of {elements} is not made of whole ones");
}
