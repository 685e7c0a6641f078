using Kvasir.KvCache.Blocks;

namespace Kvasir.KvCache.Tiers;

/// <summary>
/// Other machines that bring blocks which no tier of this one has, because they have them or compute them. Nothing that goes wrong with
/// them is an exception: what does not come is a hole, and is computed here. Thread-safe; both methods return at once.
/// </summary>
interface IPeer
{
    /// <summary>Which of the blocks that are missing of a prompt would be brought.</summary>
    /// <param name="prompt">The prompt.</param>
    /// <param name="missing">Indices of the missing blocks, ascending.</param>
    IReadOnlySet<int> Offers(PrefixQuery prompt, IReadOnlyList<int> missing);

    /// <summary>
    /// Begins to bring blocks of a prompt, each at the <see cref="LoadedBlock.Place"/> of its index, and reports every piece of every
    /// block: whoever waits for them relies on it that all come, or fail, in a time that is worth waiting for.
    /// </summary>
    void Load(PrefixQuery prompt, BlockLoad load);
}
