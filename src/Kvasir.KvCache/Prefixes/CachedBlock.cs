namespace Kvasir.KvCache.Prefixes;

/// <summary>A block that can be found, and where.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Parent">The key of the block before it, or a root.</param>
/// <param name="Tokens">Its tokens.</param>
public sealed record CachedBlock(BlockKey Key, BlockKey Parent, int[] Tokens) : IPrefixBlock
{
    /// <summary>Whether the pool has it.</summary>
    public bool InDevice { get; init; }

    /// <summary>Whether the host's memory has it.</summary>
    public bool InHost { get; init; }

    /// <summary>Whether the disk has it.</summary>
    public bool OnDisk { get; init; }

    /// <summary>Whether a sequence holds it in the pool.</summary>
    public bool IsLeased { get; init; }

    /// <summary>Whether somebody keeps it on the disk.</summary>
    public bool IsPinned { get; init; }

    /// <summary>When it was used last, as the disk knows it.</summary>
    public DateTimeOffset? Used { get; init; }
}
