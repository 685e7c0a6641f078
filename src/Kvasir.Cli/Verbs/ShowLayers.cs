using Kvasir.Formats.Models;

namespace Kvasir.Cli.Verbs;

/// <summary>Layers of a model that are alike in everything but in which of them they are.</summary>
/// <param name="Layers">Their numbers, ascending.</param>
/// <param name="Heads">Query heads; null without attention.</param>
/// <param name="KvHeads">Key-value heads.</param>
/// <param name="KeyDim">Elements of a key, or of a latent.</param>
/// <param name="ValueDim">Elements of a value; 0 where a latent is both.</param>
/// <param name="Window">Tokens that they attend to; null for all.</param>
/// <param name="SharesKv">Whether they read the keys and values of earlier layers.</param>
/// <param name="QkNorm">Whether each head's query and key is normalised.</param>
/// <param name="RopeBase">Base of the rotary frequencies; null where nothing is rotated.</param>
/// <param name="RopeDims">Elements of a head that are rotated.</param>
/// <param name="RopeScaling">How the frequencies are stretched; null where they are not.</param>
/// <param name="FeedForward">Width of the feed-forward network, of one expert's in a mixture.</param>
/// <param name="Experts">Experts of a mixture; null for one network.</param>
/// <param name="Chosen">How many of them a token chooses.</param>
/// <param name="Sinks">Whether each query head has a sink, which takes its share of the softmax.</param>
/// <param name="Activation">Activation of the network.</param>
/// <param name="StateElements">Numbers that are carried from token to token; null for none.</param>
sealed record ShowLayers(
    IReadOnlyList<int> Layers, int? Heads, int? KvHeads, int? KeyDim, int? ValueDim, int? Window, bool SharesKv, bool QkNorm,
    float? RopeBase, int? RopeDims, string? RopeScaling, int? FeedForward, int? Experts, int? Chosen, bool Sinks,
    string? Activation, long? StateElements)
{
    /// <summary>The groups in the order of their first layers.</summary>
    public static IReadOnlyList<ShowLayers> Of(ModelSpec spec) =>
        [.. spec.Layers.Select(Of).GroupBy(layer => layer with { Layers = [] })
            .Select(group => group.Key with { Layers = [.. group.SelectMany(layer => layer.Layers)] })];

    static ShowLayers Of(LayerSpec layer, int index)
    {
        AttentionSpec? attention = layer.Attention;
        return new ShowLayers(
            [index], attention?.Heads, attention?.KvHeads, attention?.KeyDim, attention?.ValueDim, attention?.Window,
            attention is not null && attention.Producer != index, attention?.HasQkNorm == true,
            attention?.Rope?.Base, attention?.Rope?.Dims, Scaling(attention?.Rope),
            layer.FeedForward?.Width, layer.FeedForward is { Experts: > 0 and var experts } ? experts : null,
            layer.FeedForward is { Chosen: > 0 and var chosen } ? chosen : null, attention?.HasSinks == true, layer.FeedForward?.Activation,
            layer.StateElements > 0 ? layer.StateElements : null);
    }

    static string? Scaling(RopeSpec? rope) => rope switch
    {
        { Scaling: { } scaling } => FormattableString.Invariant($"{scaling.Type} × {scaling.Factor:0.###}"),
        { HasDivisors: true } => "as rope_freqs.weight says",
        _ => null,
    };

    /// <summary>The layers as people write them: <c>0–4, 6–10</c>; of many stretches, the first.</summary>
    public string Numbers()
    {
        const int MostStretches = 6;
        List<(int First, int Last)> stretches = [];
        foreach (int layer in Layers)
            if (stretches.Count > 0 && stretches[^1].Last == layer - 1)
                stretches[^1] = (stretches[^1].First, layer);
            else
                stretches.Add((layer, layer));
        IEnumerable<string> shown = stretches.Select(each => each.First == each.Last ? $"{each.First}" : $"{each.First}–{each.Last}");
        return string.Join(", ", shown.Take(MostStretches)) + (stretches.Count > MostStretches ? ", …" : "");
    }

    public string HeadsText() => (Heads, ValueDim) switch
    {
        (null, _) => $"no attention, a state of {StateElements:N0} numbers",
        (_, 0) => $"{Heads} query, one latent of {KeyDim} elements",
        _ when KeyDim == ValueDim => $"{Heads} query, {KvHeads} key-value, of {KeyDim} elements",
        _ => $"{Heads} query, {KvHeads} key-value, of {KeyDim} elements in keys and {ValueDim} in values",
    };

    public string WindowText() => Heads is null ? ""
        : (Window is { } window ? $"sliding window {window:N0}" : "attending to everything") + (Sinks ? ", with sinks" : "");

    public string SharingText() => Heads is null ? "" : SharesKv ? "keys and values of an earlier layer" : "own keys and values";

    public string RopeText() => RopeBase is null ? Heads is null ? "" : "none"
        : FormattableString.Invariant($"base {RopeBase:0.###}, {RopeDims} elements of a head")
            + (RopeScaling is null ? "" : $", stretched ({RopeScaling})");

    public string NetworkText() => FeedForward is null ? "" : $"feed-forward {FeedForward:N0}"
        + (Experts is null ? "" : $" in each of {Experts:N0} experts")
        + (Chosen is null ? "" : $", of which a token chooses {Chosen:N0}") + (Activation is "silu" ? "" : $" ({Activation})");
}
