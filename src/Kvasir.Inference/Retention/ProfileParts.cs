using Kvasir.Formats.Models;
using Kvasir.Inference.Model;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Layout;

namespace Kvasir.Inference.Retention;

/// <summary>What a profile is made with.</summary>
sealed record ProfileParts(Transformer Transformer, ModelSpec Config, Tokenizer Tokenizer, KvLayout Layout)
{
    /// <summary>Whether a retention policy chooses what a layer keeps: it attends to everything, and to its own keys and values.</summary>
    public bool Selects(int layer) => Layout.Layers[layer] is { State: LayerState.Full } shape && shape.Producer == layer;
}
