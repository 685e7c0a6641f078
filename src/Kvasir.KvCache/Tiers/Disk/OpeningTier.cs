using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// A disk tier whose directory takes long to open: nobody waits for it but those that ask what it has, as long as they wait for any answer,
/// and those that write to it. Until it is open there is nothing in it.
/// </summary>
sealed class OpeningTier(Task<DiskTier> opening, DiskTierOptions options) : IDurableTier
{
    public Tier Tier => Tier.Disk;

    public bool IsLossless => true;

    public bool IsFar => false;

    public Admission Admission => options.Admission;

    public bool CanWrite => Opened?.CanWrite ?? !opening.IsFaulted;

    public string? Problem => opening.IsFaulted ? opening.Exception.InnerException!.Message
        : Opened is { } tier ? tier.Problem : $"{options.Folder}: takes long to open; what is there is found as soon as it has";

    DiskTier? Opened => opening.IsCompletedSuccessfully ? opening.Result : null;

    public TierContent Content() => Opened?.Content() ?? new(options.MaxBytes, 0, 0, 0, 0, 0, 0, options.Folder);

    public async ValueTask<TierFind> Find(PrefixQuery query, CancellationToken cancellation)
    {
        await ((Task)opening).WaitAsync(cancellation).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        cancellation.ThrowIfCancellationRequested();
        return Opened is { } tier ? await tier.Find(query, cancellation).ConfigureAwait(false) : TierFind.Nothing;
    }

    public void Load(BlockLoad load) => Opened!.Load(load); // of what it has found

    public int Write(ReadOnlySpan<BlockWrite> blocks) => Awaited?.Write(blocks) ?? 0;

    public bool Contains(BlockKey key) => Opened?.Contains(key) ?? false;

    public void Touch(BlockKey key) => Opened?.Touch(key);

    public TierLease? TryRead(BlockKey key) => null;

    public (int Evicted, int Kept) Evict(IReadOnlyCollection<BlockKey> keys) => Opened?.Evict(keys) ?? default;

    public IReadOnlyList<TierBlock> List(int most) => Opened?.List(most) ?? [];

    public TierBlock? Describe(BlockKey key) => Opened?.Describe(key);

    public IReadOnlyDictionary<BlockKey, DateTimeOffset> FindEvictions(IReadOnlyCollection<BlockKey> keys) =>
        Opened?.FindEvictions(keys) ?? new Dictionary<BlockKey, DateTimeOffset>();

    public int Pin(IReadOnlyCollection<BlockKey> keys, string owner, DateTimeOffset until) => Awaited?.Pin(keys, owner, until) ?? 0;

    public int Unpin(string owner) => Awaited?.Unpin(owner) ?? 0;

    public int Unpin(IReadOnlyCollection<BlockKey> keys) => Awaited?.Unpin(keys) ?? 0;

    public void AddRoot(BlockKey root) => Opened?.AddRoot(root);

    public ForeignBlock? Elsewhere(BlockKey root, ReadOnlySpan<int> firstBlock) => Opened?.Elsewhere(root, firstBlock);

    public void Count(CounterName name, long by) => Opened?.Count(name, by);

    public long Counted(CounterName name) => Opened?.Counted(name) ?? 0;

    public void Dispose() => Awaited?.Dispose();

    DiskTier? Awaited
    {
        get
        {
            ((IAsyncResult)opening).AsyncWaitHandle.WaitOne();
            return Opened;
        }
    }
}
