namespace Kvasir.KvCache.Prefixes;

/// <summary>256-bit identity of a block: its content and everything before it. Equal keys name equal keys and values.</summary>
/// <param name="Digest">What <see cref="KeyChain"/> made of the block's tokens and of those before them.</param>
public readonly record struct BlockKey(Digest Digest)
{
    /// <inheritdoc/>
    public override int GetHashCode() => Digest.GetHashCode();

    /// <summary>The key as 64 hexadecimal digits.</summary>
    public override string ToString() => Digest.ToString();
}
