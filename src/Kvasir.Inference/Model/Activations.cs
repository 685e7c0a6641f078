using Kvasir.Formats.Models;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Kernels.Panels;

namespace Kvasir.Inference.Model;

/// <summary>
/// The intermediate values of a forward pass, one row a token; allocated once for the largest batch and the largest layer.
/// </summary>
sealed class Activations : IDisposable
{
    readonly FloatRows[] _ofLayers; // memory that layers take turns with

    public Activations(ModelSpec spec, int maxTokens)
    {
        Residual = new FloatRows(maxTokens, spec.Width);
        Normed = new FloatRows(maxTokens, spec.Width);
        Projected = new FloatRows(maxTokens, spec.Width);
        Logits = new FloatRows(1, spec.Vocabulary);
        LayerWidths[] widths = [.. spec.Layers.Select(LayerWidths.Of)];
        _ofLayers = [.. LayerWidths.Largest(widths).All.Select(width => new FloatRows(maxTokens, width))];
        var views = widths.Distinct().ToDictionary(each => each, each => LayerActivations.Of(_ofLayers, each));
        Layers = [.. widths.Select(each => views[each])];
    }

    public FloatRows Residual { get; } // [tokens, d]
    public FloatRows Normed { get; } // [tokens, d]
    public FloatRows Projected { get; } // [tokens, d]
    public LayerActivations[] Layers { get; }

    /// <summary>[rows that want logits, vocabulary]; grows when a batch wants more rows than any before it.</summary>
    public FloatRows Logits { get; private set; }

    public void ReserveLogits(int rows)
    {
        if (rows <= Logits.Rows)
            return;
        FloatRows more = new(rows, Logits.Width);
        Logits.Dispose();
        Logits = more;
    }

    public void Dispose()
    {
        foreach (FloatRows rows in (FloatRows[])[Residual, Normed, Projected, Logits, .. _ofLayers])
            rows.Dispose();
    }
}

/// <summary>One layer's intermediate values, in memory that it shares with the others.</summary>
/// <param name="Queries">[tokens, heads · key dim].</param>
/// <param name="Keys">[tokens, KV heads · key dim].</param>
/// <param name="Values">[tokens, KV heads · value dim].</param>
/// <param name="Attended">[tokens, heads · value dim].</param>
/// <param name="Gate">[tokens, feed-forward].</param>
/// <param name="Up">[tokens, feed-forward].</param>
sealed record LayerActivations(FloatRows Queries, FloatRows Keys, FloatRows Values, FloatRows Attended, FloatRows Gate, FloatRows Up)
{
    /// <param name="memory">Rows for each of <see cref="LayerWidths.All"/>, at least so wide.</param>
    /// <param name="widths">The layer's own widths.</param>
    public static LayerActivations Of(FloatRows[] memory, LayerWidths widths)
    {
        FloatRows[] rows = [.. memory.Zip(widths.All, (shared, width) => shared.OfWidth(width))];
        return new(rows[0], rows[1], rows[2], rows[3], rows[4], rows[5]);
    }
}

/// <summary>How wide a layer's intermediate values are.</summary>
/// <param name="Queries">Of the queries of all heads.</param>
/// <param name="Keys">Of the keys of all KV heads.</param>
/// <param name="Values">Of the values of all KV heads.</param>
/// <param name="Attended">Of what all heads have gathered.</param>
/// <param name="Network">Of the feed-forward network; 0 for experts, who have memory of their own.</param>
readonly record struct LayerWidths(int Queries, int Keys, int Values, int Attended, int Network)
{
    /// <summary>In the order of <see cref="LayerActivations"/>.</summary>
    public int[] All => [Queries, Keys, Values, Attended, Network, Network];

    public static LayerWidths Of(LayerSpec layer) => layer is { Attention: { } attention, FeedForward: { } network }
        ? checked(new(
            attention.Heads * attention.KeyDim, attention.KvHeads * attention.KeyDim, attention.KvHeads * attention.ValueDim,
            attention.Heads * attention.ValueDim, network.Experts > 0 ? 0 : network.Width))
        : throw new ArgumentException("a layer without attention, or without a network");

    public static LayerWidths Largest(LayerWidths[] layers) => new(
        layers.Max(layer => layer.Queries), layers.Max(layer => layer.Keys), layers.Max(layer => layer.Values),
        layers.Max(layer => layer.Attended), layers.Max(layer => layer.Network));
}
