using System.Collections.Immutable;
using Kvasir.Formats;

namespace Kvasir.Planning.Sizing;

/// <summary>How elements of weights, keys or values are stored: in groups, whose scales count.</summary>
/// <param name="Name">What users write.</param>
/// <param name="GroupElements">Elements that share a scale or a byte; 1 where each stands alone.</param>
/// <param name="GroupBytes">Bytes of a group, its scale included.</param>
public sealed record ElementType(string Name, int GroupElements, int GroupBytes)
{
    /// <summary>Types of weights: those of tensors in files, and bare numbers of 8 and 4 bits.</summary>
    public static ImmutableArray<ElementType> OfWeights { get; } =
    [
        .. Enum.GetValues<TensorType>().Select(type => new ElementType(type.DisplayName(), type.BlockElements(), type.BlockBytes())),
        new("fp8", 1, 1), new("int8", 1, 1), new("int4", 2, 1),
    ];

    /// <summary>Those of keys and values: some that weights have, too, and two of the cache's own.</summary>
    public static ImmutableArray<ElementType> OfKv { get; } =
    [
        .. ((string[])["f32", "f16", "bf16", "fp8", "int8", "q8_0", "q5_0", "q4_0", "int4"]).Select(name => Find(name, OfWeights)!),
        new("q3", 32, 14), new("q2", 32, 10),
    ];

    /// <summary>The type of a name, in either case, where <c>q5</c> is <c>q5_0</c>; null where the allowed ones have none.</summary>
    public static ElementType? Find(string name, ImmutableArray<ElementType> allowed) =>
        allowed.FirstOrDefault(type => type.Name.Equals(name == "q5" ? "q5_0" : name, StringComparison.OrdinalIgnoreCase));

    /// <summary>Names for messages and help.</summary>
    public static string Names(ImmutableArray<ElementType> types) => string.Join(", ", types.Select(type => type.Name));

    /// <summary>Bytes of an element as a factor: <c>2</c>, <c>34/32</c>.</summary>
    public string Factor => GroupElements == 1 ? $"{GroupBytes}" : $"{GroupBytes}/{GroupElements}";

    /// <summary>Bytes of an element, its part of the scale included.</summary>
    public double Bytes => (double)GroupBytes / GroupElements;

    /// <summary>Bytes of one head's key or value of one token.</summary>
    /// <exception cref="ArgumentException">The row is not made of whole groups.</exception>
    public long RowBytes(int elements) => elements % GroupElements == 0
        ? (long)elements / GroupElements * GroupBytes
        : throw new ArgumentException(
            $"KV type {Name} stores groups of {GroupElements} elements: a row of {elements} is not made of whole ones");
}
