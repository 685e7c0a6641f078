using Kvasir.Formats.Models;
using Kvasir.Inference.Model;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Retention;

/// <summary>What a profile is made with.</summary>
sealed record ProfileParts(Transformer Transformer, ModelSpec Config, Tokenizer Tokenizer, KvLayout Layout)
{
    /// <summary>Whether a policy chooses what a layer keeps.</summary>
    public bool Selects(int layer) => ViewShape.Selects(Layout, layer);
}
