using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>What its owner may decide: which blocks stay and which go.</summary>
public sealed partial class DiskTier
{
    /// <inheritdoc/>
    public (int Evicted, int Kept) Evict(IReadOnlyCollection<BlockKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        int present = keys.Count(Contains);
        if (present == 0)
            return (0, 0);
        if (_writer is null)
            throw new IOException($"{_options.Folder}: cannot be written: {Problem}");
        lock (_writing)
        {
            int evicted = _writer.Evict(keys);
            return (evicted, Math.Max(0, present - evicted));
        }
    }

    /// <inheritdoc/>
    public int Pin(IReadOnlyCollection<BlockKey> keys, string owner, DateTimeOffset until)
    {
        ArgumentException.ThrowIfNullOrEmpty(owner);
        if (_writer is null)
            throw new IOException($"{_options.Folder}: cannot be written: {Problem}");
        BlockKey[] present = [.. keys.Where(Contains)];
        lock (_writing)
        {
            using Catalogue.Writing writing = _writer.Catalogue.Write();
            foreach (BlockKey key in present)
                _writer.Catalogue.Execute("INSERT INTO pins VALUES ($0, $1, $2) ON CONFLICT DO UPDATE SET until = excluded.until", owner,
                    key.Digest.ToArray(), until.ToUnixTimeSeconds());
            long pinned = _writer.Catalogue.Number("SELECT sum(slot_bytes) FROM (SELECT DISTINCT key FROM pins WHERE until > $0) JOIN "
                + "blocks USING (key) JOIN segments ON id = place / 1048576",
                _options.Time.GetUtcNow().ToUnixTimeSeconds());
            if (pinned > _options.MaxBytes / 2)
                throw new IOException($"pins would hold {pinned:N0} bytes, expected at most half of the disk tier's "
                    + $"{_options.MaxBytes:N0}: the rest has to live too");
            writing.Commit();
        }
        _books.Refresh();
        return present.Length;
    }

    /// <inheritdoc/>
    public int Unpin(string owner)
    {
        if (_writer is null)
            throw new IOException($"{_options.Folder}: cannot be written: {Problem}");
        lock (_writing)
        {
            int unpinned = _writer.Catalogue.Execute("DELETE FROM pins WHERE owner = $0", owner);
            _books.Refresh();
            return unpinned;
        }
    }

    /// <inheritdoc/>
    public int Unpin(IReadOnlyCollection<BlockKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        if (_writer is null)
            throw new IOException($"{_options.Folder}: cannot be written: {Problem}");
        lock (_writing)
        {
            using Catalogue.Writing writing = _writer.Catalogue.Write();
            int unpinned = keys.Sum(key => _writer.Catalogue.Execute("DELETE FROM pins WHERE key = $0", key.Digest.ToArray()) > 0 ? 1 : 0);
            writing.Commit();
            _books.Refresh();
            return unpinned;
        }
    }
}
