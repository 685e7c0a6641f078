using Kvasir.Formats.Models;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Model;

/// <summary>What a model's layers keep in the KV cache.</summary>
static class KvLayers
{
    public static IEnumerable<KvLayer> Of(ModelSpec spec) => spec.Layers.Select((layer, index) => layer.Attention is { } attention
        ? new KvLayer(State(attention), attention.KvHeads, attention.KeyDim, attention.ValueDim, attention.Producer)
        : new KvLayer(new LayerState.Recurrent(layer.StateElements * sizeof(float)), 0, 0, 0, index));

    static LayerState State(AttentionSpec attention) =>
        attention.Window is { } tokens ? new LayerState.Window(tokens) : new LayerState.Full();
}
