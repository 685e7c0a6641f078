using System.Collections.Immutable;
using CsCheck;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;

namespace Kvasir.Tests.Sizing;

/// <summary>Dimensions for tests: by hand, or at random.</summary>
static class Specs
{
    static readonly Gen<AttentionSpec> s_layer = Gen.Select(Gen.Int[1, 4], Gen.Int[1, 3], Gen.Int[1, 3], Gen.Int[0, 3],
        Gen.Int[1, 40].Nullable(), (group, kvHeads, key, value, window) =>
        value == 0
            ? new AttentionSpec(group, 1, 32 * key, 0, window, 0)
            : new AttentionSpec(group * kvHeads, kvHeads, 32 * key, 32 * value, window, 0));

    /// <summary>Any mix of heads, latents, windows and sharing.</summary>
    public static Gen<ModelSpec> Any { get; } = Gen.Select(s_layer.Array[1, 6], Gen.Int[0, 5].Array[6], (layers, readers) => Of(
        [.. layers.Select((layer, i) => i > 0 && readers[i] < i
            && IsOwner(readers, readers[i]) ? layers[readers[i]] with { Producer = readers[i] } : layer with { Producer = i })]));

    /// <summary>One of some values.</summary>
    public static Gen<T> OneOf<T>(params T[] values) => Gen.Int[0, values.Length - 1].Select(i => values[i]);

    /// <summary>A type of keys and values.</summary>
    public static ElementType Kv(string name) => ElementType.Find(name, ElementType.OfKv) ?? throw new ArgumentException(name);

    /// <summary>Layers as they are.</summary>
    public static ModelSpec Of(params ImmutableArray<AttentionSpec> layers) => new()
    {
        Name = "test", Source = "test", Architecture = "test", Context = 1 << 20, Width = 64, Vocabulary = 100,
        Layers = [.. layers.Select(layer => new LayerSpec { Attention = layer })],
        Parameters = null, ActiveParameters = null,
    };

    /// <summary>Its attention as a function of itself.</summary>
    public static ModelSpec With(this ModelSpec spec, Func<AttentionSpec, int, AttentionSpec> change) =>
        spec with { Layers = [.. spec.Layers.Select((layer, i) => layer with { Attention = change(layer.Attention!, i) })] };

    /// <summary>What is kept, and what reads it.</summary>
    public static IEnumerable<(int Heads, int KvHeads, int KeyDim, int ValueDim, int? Window, int Producer)> Kept(this ModelSpec spec) =>
        spec.Attention.Select(layer => (layer.Heads, layer.KvHeads, layer.KeyDim, layer.ValueDim, layer.Window, layer.Producer));

    /// <summary>Equal layers that attend to everything.</summary>
    public static ModelSpec Dense(int layers, int heads, int kvHeads, int dim) =>
        Of([.. Enumerable.Range(0, layers).Select(layer => new AttentionSpec(heads, kvHeads, dim, dim, null, layer))]);

    static bool IsOwner(int[] readers, int layer) => layer == 0 || readers[layer] >= layer || !IsOwner(readers, readers[layer]);
}
