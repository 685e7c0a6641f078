using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Views;

/// <summary>
/// Which view it is: <c>SHA-256("kvasir-view-1" ‖ key of the prefix's last block ‖ positions ‖ policy ‖ codecs)</c>, fields preceded by
/// their lengths. What is computed through the view is chained under this key, so no exact chain ever holds it, and none of its blocks is
/// found by an exact request.
/// </summary>
/// <param name="Prefix">The key of the last exact block of the prefix, which names the model, the salt and all tokens before.</param>
/// <param name="Positions">Tokens of the prefix.</param>
/// <param name="Policy">The policy, canonical.</param>
/// <param name="KeyCodec">How keys are stored.</param>
/// <param name="ValueCodec">How values are stored.</param>
public sealed record ViewName(BlockKey Prefix, int Positions, string Policy, string KeyCodec, string ValueCodec)
{
    const string Format = "kvasir-view-1";

    /// <summary>The key before the first block that is computed through the view.</summary>
    public BlockKey Key()
    {
        using var hasher = new FieldHasher();
        return new BlockKey(
            hasher.Add(Format).Add(Prefix.Digest).Add(Positions).Add(Policy).Add(KeyCodec).Add(ValueCodec).Finish());
    }
}
