using System.Collections.Immutable;

namespace Kvasir.Formats.Models;

/// <summary>What a description says, under the keys that a GGUF file of its architecture has for it.</summary>
/// <param name="spec">The description.</param>
/// <param name="architecture">What GGUF files call the architecture.</param>
/// <param name="set">Receives a key and its value; null where there is nothing to say.</param>
public sealed class GgufSpecKeys(ModelSpec spec, string architecture, Action<string, object?> set)
{
    /// <summary>A key of our own: whether pairs between which YaRN's ramp lies are rounded to whole ones, as others always do.</summary>
    internal const string RoundsPairs = "rope.scaling.yarn_truncate";

    /// <summary>Whether the weights of the experts that a token chooses sum up to 1.</summary>
    internal const string WeighsChosen = "expert_weights_norm";

    ModelFamily Family => ModelFamily.Gguf[architecture];

    /// <summary>Names all of them.</summary>
    public void Write()
    {
        Geometry();
        Attention();
        Rope();
    }

    /// <summary>What stretches a rotation by keys: nothing where a tensor does, as for Llama 3.</summary>
    internal static RopeScaling? ScalingOf(RopeSpec rope) => rope.Scaling is { IsTensorInGguf: true } ? null : rope.Scaling;

    void Geometry()
    {
        Key("context_length", (uint)spec.Context);
        Key("embedding_length", (uint)spec.Width);
        Key("block_count", (uint)spec.Layers.Length);
        Key("vocab_size", (uint)spec.Vocabulary);
        Key("feed_forward_length", PerLayer(layer => layer.FeedForward?.Width ?? 0));
        Experts();
        Key("attention.layer_norm_rms_epsilon", spec.Norm.Kind == NormKind.Rms ? spec.Norm.Epsilon : null);
        Key("attention.layer_norm_epsilon", spec.Norm.Kind == NormKind.Layer ? spec.Norm.Epsilon : null);
        Key("residual_scale", spec.ResidualScale);
        Key("embedding_scale", Family.ScalesEmbedding ? null : spec.EmbeddingScale);
        Key("logit_scale", Family.DividesLogits ? 1 / spec.LogitScale : spec.LogitScale);
        Key("final_logit_softcapping", spec.LogitSoftcap);
    }

    void Experts()
    {
        if (spec.Layers.Select(layer => layer.FeedForward).FirstOrDefault(network => network is { Experts: > 0 }) is not { } mixture)
            return;
        Key("expert_count", (uint)mixture.Experts);
        Key("expert_used_count", (uint)mixture.Chosen);
        Key("expert_feed_forward_length", (uint)mixture.Width);
        Key(WeighsChosen, mixture.WeighsAmongAll == Family.WeighsAmongAll ? null : !mixture.WeighsAmongAll);
    }

    void Attention()
    {
        AttentionSpec first = spec.Attention.First();
        Key("attention.head_count", PerLayer(layer => layer.Attention?.Heads ?? 0));
        Key("attention.head_count_kv", PerLayer(layer => layer.Attention?.KvHeads ?? 0));
        Key("attention.key_length", (uint)first.KeyDim);
        Key("attention.value_length", (uint)first.ValueDim);
        Key("attention.scale", first.Scale);
        Key("attn_logit_softcapping", first.Softcap);
        Key("attention.temperature_scale", first.Temperature?.Scale);
        if (spec.Attention.FirstOrDefault(layer => layer.Window is not null) is not { } sliding)
            return;
        Key("attention.sliding_window", (uint)sliding.Window!.Value);
        ImmutableArray<bool> slides = ImmutableArray.CreateRange(spec.Layers, layer => layer.Attention?.Window is not null);
        if (!slides.Index().All(layer => layer.Item == (Family.FullEvery == 0 || (layer.Index + 1) % Family.FullEvery != 0)))
            Key("attention.sliding_window_pattern", slides);
    }

    void Rope()
    {
        AttentionSpec first = spec.Attention.First();
        RopeSpec? full = RopeOf(window: false), sliding = RopeOf(window: true);
        if ((full ?? sliding) is not { } rope)
            return;
        Key("rope.freq_base", rope.Base);
        Key("rope.dimension_count", (uint)rope.Dims);
        if (full is not null && sliding is not null && sliding.Base != full.Base)
            Key("rope.freq_base_swa", sliding.Base);
        Key("rope.scaling.original_context_length", (uint?)(first.Temperature?.Every ?? rope.Scaling?.OriginalContext));
        if (ScalingOf(rope) is { } scaling)
            Scaling(scaling);
    }

    void Scaling(RopeScaling scaling)
    {
        if (scaling.DependsOnContext) // its name stands in no file, and its factor is in its magnitude
        {
            Key("rope.scaling.attn_factor", scaling.Magnitude);
            return;
        }
        Key("rope.scaling.type", scaling.Type);
        Key("rope.scaling.factor", scaling.Factor);
        Key("rope.scaling.yarn_attn_factor", scaling.AttentionFactor);
        Key("rope.scaling.yarn_beta_fast", scaling.Type == "yarn" ? scaling.FastTurns : null);
        Key("rope.scaling.yarn_beta_slow", scaling.Type == "yarn" ? scaling.SlowTurns : null);
        Key(RoundsPairs, scaling is { Type: "yarn", RoundsPairs: false } ? false : null);
        Key("rope.scaling.yarn_log_multiplier", scaling.LogWeights?.Over);
    }

    RopeSpec? RopeOf(bool window) =>
        spec.Attention.FirstOrDefault(layer => layer.Window is not null == window && layer.Rope is not null)?.Rope;

    /// <summary>One number where all layers have the same, as converters write it.</summary>
    object PerLayer(Func<LayerSpec, int> of) => spec.Layers.Select(of).Distinct().Count() == 1
        ? (uint)of(spec.Layers[0])
        : ImmutableArray.CreateRange(spec.Layers, of);

    void Key(string name, object? value) => set($"{architecture}.{name}", value);
}
