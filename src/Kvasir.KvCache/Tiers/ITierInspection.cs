using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// Looks into a tier that outlives processes, at the blocks of all models at once, and keeps it in order, while processes use it. Needs no
/// model.
/// </summary>
/// <remarks>All members throw <see cref="IOException"/> when the tier cannot be read or written; the message names it.</remarks>
public interface ITierInspection : IDisposable
{
    /// <summary>The models, the one with most blocks first.</summary>
    IReadOnlyList<InspectedModel> Models();

    /// <summary>All blocks, those used last first.</summary>
    IReadOnlyList<InspectedBlock> Blocks();

    /// <summary>
    /// Reads and checks every block; bad ones are forgotten, but not those that could not be read. Returns how many came out how.
    /// </summary>
    /// <param name="progress">Hears how many of how many blocks are done.</param>
    /// <param name="cancellation">Ends it early.</param>
    IReadOnlyDictionary<ReadOutcome, int> Verify(
        IProgress<(int Done, int Total)>? progress = null, CancellationToken cancellation = default);

    /// <summary>Forgets the blocks of one model, or of all, pinned or not.</summary>
    /// <returns>How many there were.</returns>
    int Clear(Fingerprint? model = null);

    /// <summary>Lets go of all that an owner has pinned.</summary>
    /// <returns>How many blocks that were.</returns>
    int Unpin(string owner);
}

/// <summary>A model that has blocks in a tier.</summary>
/// <param name="Fingerprint">What determines its keys and values.</param>
/// <param name="Name">Its name.</param>
/// <param name="Blocks">Its blocks.</param>
/// <param name="Tokens">Their tokens.</param>
/// <param name="Bytes">What they take there.</param>
/// <param name="Pinned">How many of them somebody keeps.</param>
public sealed record InspectedModel(Fingerprint Fingerprint, string Name, long Blocks, long Tokens, long Bytes, long Pinned);

/// <summary>A block in a tier.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Parent">The key of the block before it, or a root.</param>
/// <param name="Fingerprint">Its model.</param>
/// <param name="Model">The model's name.</param>
/// <param name="Tokens">Its tokens.</param>
/// <param name="Bytes">What it takes there.</param>
/// <param name="Used">When it was used last; where that is not noted, when it was written.</param>
/// <param name="PinnedBy">Who keeps it, if anybody does.</param>
/// <param name="PinnedUntil">Until when.</param>
public sealed record InspectedBlock(
    BlockKey Key, BlockKey Parent, Fingerprint Fingerprint, string Model, int[] Tokens, long Bytes, DateTimeOffset Used, string? PinnedBy,
    DateTimeOffset? PinnedUntil) : IPrefixBlock;
