namespace Kvasir.Planning.Sizing;

/// <summary>What fits where, and when it is worth loading.</summary>
/// <param name="size">Bytes of the model's cache.</param>
/// <param name="retention">What layers keep.</param>
public sealed class CapacityPlan(KvSize size, KvRetention retention)
{
    const int DiskHeader = 4096;

    /// <summary>Whether sizes in Kvasir's blocks exist: its pool holds whole sequences, and keys and values only.</summary>
    public bool HasBlocks => retention == KvRetention.Everything && size.StateBytes == 0;

    /// <summary>Bytes of one sequence: logical, or in Kvasir's blocks.</summary>
    public long SequenceBytes(long tokens, bool inBlocks) => inBlocks
        ? size.AllocatedBytes(tokens)
        : retention.Of(size, tokens).Bytes;

    /// <summary>The longest sequence that fits, of at most <paramref name="most"/> tokens.</summary>
    public long LongestContext(long room, long most, bool inBlocks)
    {
        long fits = 0, beyond = most + 1; // sizes never shrink with more tokens
        while (beyond - fits > 1)
        {
            long middle = fits + (beyond - fits) / 2;
            if (SequenceBytes(middle, inBlocks) <= room)
                fits = middle;
            else
                beyond = middle;
        }
        return fits;
    }

    /// <summary>Sequences of so many tokens that fit side by side, none of which shares anything.</summary>
    public long Sequences(long room, long tokens, bool inBlocks) => room / Math.Max(1, SequenceBytes(tokens, inBlocks));

    /// <summary>Tokens of one conversation, in whole blocks, that a tier holds; on a disk each block has a page of header.</summary>
    public long TierTokens(long room, bool onDisk) =>
        Math.Max(0, room - Windows(long.MaxValue, onDisk)) / TierBlock(onDisk) * KvSize.BlockTokens;

    /// <summary>Conversations of so many tokens that a tier holds, in whole blocks, none of which shares anything.</summary>
    public long TierConversations(long room, long tokens, bool onDisk) =>
        (tokens + KvSize.BlockTokens - 1) / KvSize.BlockTokens is var blocks
            ? room / (blocks * TierBlock(onDisk) + Windows(blocks, onDisk)) : 0;

    /// <summary>
    /// Bytes per second above which loading a sequence's cache beats computing it: <c>bytes / BW &lt; 2·P·T / FLOPs</c>. Attention's own
    /// arithmetic is not counted, so that long prompts are worth loading from slower places still.
    /// </summary>
    /// <param name="tokens">Tokens of the sequence.</param>
    /// <param name="activeParameters">P: those that a token is multiplied with.</param>
    /// <param name="flops">Floating-point operations per second that prefill reaches.</param>
    public double BreakEven(long tokens, long activeParameters, double flops) =>
        SequenceBytes(tokens, inBlocks: false) * flops / (2.0 * activeParameters * tokens);

    /// <summary>What layers with windows keep of a conversation of so many blocks.</summary>
    long Windows(long blocks, bool onDisk) =>
        Math.Min(blocks, size.WindowBlocks) * (size.WindowBlockBytes + (onDisk ? DiskHeader : 0));

    long TierBlock(bool onDisk) => Math.Max(1, size.BlockBytes + (onDisk ? DiskHeader : 0));
}
