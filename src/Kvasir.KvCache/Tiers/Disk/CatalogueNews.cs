using Kvasir.KvCache.Prefixes;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>What has changed in a catalogue since a number of changes, read in one transaction.</summary>
/// <param name="Change">The number of changes now.</param>
/// <param name="Clock">The latest use.</param>
/// <param name="Trimmed">Evictions up to this change are forgotten.</param>
/// <param name="Segments">Segments of the slot size that was asked for: their numbers, and their slots.</param>
/// <param name="Evicted">Blocks that were evicted since, with their places.</param>
/// <param name="Blocks">Blocks that were written or used since, in the order of their last use: all, where
/// evictions since are forgotten.</param>
/// <param name="Pinned">Blocks that somebody keeps.</param>
sealed record CatalogueNews(
    long Change, long Clock, long Trimmed, Dictionary<long, long> Segments, List<(BlockKey Key, long Place)> Evicted,
    List<StoredBlock> Blocks, List<BlockKey> Pinned)
{
    /// <summary>Reads what is new.</summary>
    /// <param name="catalogue">The catalogue, in a transaction.</param>
    /// <param name="slotBytes">The slot size.</param>
    /// <param name="since">The number of changes that are known; 0 for none.</param>
    /// <param name="now">The time, for pins.</param>
    public static CatalogueNews Read(Catalogue catalogue, long slotBytes, long since, DateTimeOffset now)
    {
        long trimmed = Counter(catalogue, "trimmed");
        List<StoredBlock> blocks = [];
        catalogue.ForEachBlock(trimmed > since ? 0 : since, blocks.Add);
        blocks.Sort((one, other) => one.Used.CompareTo(other.Used)); // the policy sees them in the order of their use
        return new CatalogueNews(
            Counter(catalogue, "change"), Counter(catalogue, "clock"), trimmed,
            catalogue.Rows("SELECT id, slots FROM segments WHERE slot_bytes = $0",
                reader => (reader.GetInt64(0), reader.GetInt64(1)), slotBytes).ToDictionary(),
            since == 0 ? [] : catalogue.Rows("SELECT key, place FROM evicted WHERE change > $0",
                reader => (new BlockKey(Catalogue.DigestAt(reader, 0) ?? default), reader.GetInt64(1)), since),
            blocks, ReadPins(catalogue, now));
    }

    /// <summary>Reads which blocks somebody keeps.</summary>
    public static List<BlockKey> ReadPins(Catalogue catalogue, DateTimeOffset now) =>
        [.. catalogue.Rows("SELECT DISTINCT key FROM pins WHERE until > $0",
            reader => Catalogue.DigestAt(reader, 0), now.ToUnixTimeSeconds())
            .Where(key => key is not null).Select(key => new BlockKey(key!.Value))];

    static long Counter(Catalogue catalogue, string name) => catalogue.Number("SELECT value FROM counters WHERE name = $0", name);
}
