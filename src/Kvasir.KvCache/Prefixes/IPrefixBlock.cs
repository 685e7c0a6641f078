namespace Kvasir.KvCache.Prefixes;

/// <summary>A block as part of a prefix.</summary>
public interface IPrefixBlock
{
    /// <summary>Its key.</summary>
    BlockKey Key { get; }

    /// <summary>The key of the block before it, or a root.</summary>
    BlockKey Parent { get; }

    /// <summary>Its tokens.</summary>
    int[] Tokens { get; }
}
