using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// What is there: of a prompt, for whoever waits for it, and for whoever looks. Whatever asks the catalogue
/// does so on a thread that may wait.
/// </summary>
public sealed partial class DiskTier
{
    const int MostRoots = 64;

    readonly LookupThread _lookups = new(Tier.Disk); // there is one connection

    /// <summary>
    /// Finds what there is of a prompt: whether it is as it should be, reading it will tell. While the disk fails
    /// time and again, there is nothing.
    /// </summary>
    public ValueTask<TierFind> Find(PrefixQuery query, CancellationToken cancellation) =>
        _circuit.IsOpen ? new(TierFind.Nothing) : new(_lookups.Run(() => Guard(() => FindNow(query)) ?? TierFind.Nothing, cancellation));

    TierFind FindNow(PrefixQuery query)
    {
        _books.Refresh();
        long[] places = _books.Find(query.Keys);
        int last = Math.Max(query.LastKnown, Array.FindLastIndex(places, place => place != TierFind.Absent));
        return new TierFind(places, _books.FindTails(query, query.Blocks, last + 1));
    }

    /// <inheritdoc/>
    public TierLease? TryRead(BlockKey key) => null;

    /// <inheritdoc/>
    public IReadOnlyList<TierBlock> List(int most) => Guard(() => _books.Query(catalogue => catalogue.Rows("""
        SELECT key, parent, tokens, at, key IN (SELECT key FROM pins WHERE until > $1) FROM blocks JOIN models ON models.id = model
        WHERE fingerprint = $0 AND length(key) = 32 AND length(parent) = 32 ORDER BY used DESC LIMIT $2
        """, BlockAt, Fingerprint.Digest.ToArray(), _options.Time.GetUtcNow().ToUnixTimeSeconds(), most))) ?? [];

    /// <inheritdoc/>
    public TierBlock? Describe(BlockKey key)
    {
        TierBlock? block = Guard(() => _books.Query(catalogue => catalogue.Rows(
            "SELECT key, parent, tokens, at, 0 FROM blocks WHERE key = $0 AND length(parent) = 32", BlockAt,
            key.Digest.ToArray()).FirstOrDefault()));
        return block is not null && TryFind(key, out int slot) ? block with { Place = slot } : null;
    }

    static TierBlock BlockAt(CatalogueRow row) =>
        new(row.Key(0), row.Key(1), row.Tokens(2), Used: row.Time(3), IsPinned: row.Integer(4) > 0);

    /// <inheritdoc/>
    public TierContent Content()
    {
        (long pinned, long bytes) = Guard(() => _books.Query(catalogue => (
            catalogue.Number("SELECT count(DISTINCT key) FROM pins WHERE until > $0 AND key IN (SELECT key FROM blocks)",
                _options.Time.GetUtcNow().ToUnixTimeSeconds()),
            catalogue.SegmentBytes())));
        return new TierContent(_options.MaxBytes, bytes, _options.MaxBytes / _stride, Blocks, 0, pinned, Evictions, _options.Folder);
    }

    /// <inheritdoc/>
    public IReadOnlyDictionary<BlockKey, DateTimeOffset> FindEvictions(IReadOnlyCollection<BlockKey> keys) =>
        Guard(() => _books.Query(catalogue => catalogue.Evicted([.. keys]))) ?? [];

    /// <inheritdoc/>
    public ForeignBlock? Elsewhere(BlockKey root, ReadOnlySpan<int> firstBlock)
    {
        List<(BlockKey Root, Fingerprint Fingerprint, string Model)> roots = Roots();
        // layers with windows have roots of their own beside their model's, and are no other model
        HashSet<Fingerprint> windows = [Fingerprint.OfWindows(), .. roots.Select(other => other.Fingerprint.OfWindows())];
        List<(BlockKey Key, Fingerprint Fingerprint, string Model)> others = [];
        foreach ((BlockKey other, Fingerprint fingerprint, string model) in roots)
            if (other != root && !windows.Contains(fingerprint))
                others.Add((KeyChain.Next(other, firstBlock), fingerprint, model));
        HashSet<BlockKey> present = Guard(() => _books.Query(catalogue => catalogue.Present([.. others.Select(other => other.Key)]))) ?? [];
        foreach ((BlockKey key, Fingerprint fingerprint, string model) in others)
            if (present.Contains(key))
                return new ForeignBlock(fingerprint == Fingerprint ? null : model);
        return null;
    }

    /// <summary>The roots of all models and salts, the newest first.</summary>
    List<(BlockKey Root, Fingerprint Fingerprint, string Model)> Roots() => Guard(() => _books.Query(catalogue => catalogue.Rows(
        $"SELECT root, fingerprint, name FROM roots JOIN models ON id = model ORDER BY at DESC LIMIT {MostRoots}",
        row => (row.Key(0), row.Fingerprint(1), row.Text(2))))) ?? [];
}
