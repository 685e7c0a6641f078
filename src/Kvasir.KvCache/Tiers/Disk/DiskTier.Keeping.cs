using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>What its owner may see and decide: which blocks there are, which stay and which go.</summary>
public sealed partial class DiskTier
{
    /// <summary>Evicts blocks now, but none that somebody keeps; returns how many.</summary>
    /// <exception cref="IOException">The directory cannot be written.</exception>
    public int Evict(IEnumerable<BlockKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        if (_writer is null)
            throw new IOException($"{_options.Folder}: cannot be written: {Problem}");
        lock (_writing)
            return _writer.Evict(keys);
    }

    /// <summary>What the catalogue says of a block; null when it is not there.</summary>
    public StoredBlockFacts? Facts(BlockKey key) => Guard(() => _books.Query(catalogue => catalogue.Rows("SELECT key, parent, tokens, at, 0 FROM blocks WHERE key = $0 AND length(parent) = 32", FactsAt, key.Digest.ToArray()).FirstOrDefault()));

    /// <summary>The blocks of this cache's model that were used last, at most so many.</summary>
    public IReadOnlyList<StoredBlockFacts> List(int most) => Guard(() => _books.Query(catalogue => catalogue.Rows("""
        SELECT key, parent, tokens, at, key IN (SELECT key FROM pins WHERE until > $1) FROM blocks JOIN models ON models.id = model
        WHERE fingerprint = $0 AND length(key) = 32 AND length(parent) = 32 ORDER BY used DESC LIMIT $2
        """, FactsAt, Fingerprint.Digest.ToArray(), _options.Time.GetUtcNow().ToUnixTimeSeconds(), most))) ?? [];

    static StoredBlockFacts FactsAt(SqliteDataReader reader) => new(
        new BlockKey(Catalogue.DigestAt(reader, 0) ?? default), new BlockKey(Catalogue.DigestAt(reader, 1) ?? default), TokenBlob.Read(reader.GetValue(2) as byte[]),
        DateTimeOffset.FromUnixTimeSeconds(Math.Clamp(reader.GetInt64(3), 0, DateTimeOffset.MaxValue.ToUnixTimeSeconds())), reader.GetBoolean(4));

    /// <summary>Blocks that somebody keeps, and bytes that the files take.</summary>
    public (long PinnedBlocks, long Bytes) Room() => Guard(() => _books.Query(catalogue => (
        catalogue.Number("SELECT count(DISTINCT key) FROM pins WHERE until > $0 AND key IN (SELECT key FROM blocks)", _options.Time.GetUtcNow().ToUnixTimeSeconds()), catalogue.SegmentBytes())));

    /// <summary>Keeps blocks that are on the disk from being evicted until a time.</summary>
    /// <returns>How many of them are there.</returns>
    /// <exception cref="IOException">They cannot be pinned: too many bytes are already, or the directory cannot be written.</exception>
    public int Pin(IEnumerable<BlockKey> keys, string owner, DateTimeOffset until)
    {
        ArgumentException.ThrowIfNullOrEmpty(owner);
        if (_writer is null)
            throw new IOException($"{_options.Folder}: cannot be written: {Problem}");
        BlockKey[] present = [.. keys.Where(Contains)];
        lock (_writing)
        {
            using Catalogue.Writing writing = _writer.Catalogue.Write();
            foreach (BlockKey key in present)
                _writer.Catalogue.Execute("INSERT INTO pins VALUES ($0, $1, $2) ON CONFLICT DO UPDATE SET until = excluded.until", owner, key.Digest.ToArray(), until.ToUnixTimeSeconds());
            long pinned = _writer.Catalogue.Number("SELECT sum(slot_bytes) FROM (SELECT DISTINCT key FROM pins WHERE until > $0) JOIN blocks USING (key) JOIN segments ON id = place / 1048576",
                _options.Time.GetUtcNow().ToUnixTimeSeconds());
            if (pinned > _options.MaxBytes / 2)
                throw new IOException($"pins would hold {pinned:N0} bytes, expected at most half of the disk tier's {_options.MaxBytes:N0}: the rest has to live too");
            writing.Commit();
        }
        _books.Refresh();
        return present.Length;
    }

    /// <summary>Lets go of all that an owner has pinned; returns how many blocks.</summary>
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

    /// <summary>Lets go of blocks, whoever has pinned them; returns how many were.</summary>
    public int Unpin(IEnumerable<BlockKey> keys)
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
