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
        (long trimmed, long change, long clock) = (catalogue.Counter("trimmed"), catalogue.Counter("change"), catalogue.Counter("clock"));
        List<StoredBlock> blocks = [];
        catalogue.ForEachBlock(trimmed > since ? 0 : since, block =>
        {
            if (block.Change >= 0 && block.Change <= change) // or nobody could have written it
                blocks.Add(block with { Used = Math.Clamp(block.Used, 0, clock) });
        });
        blocks.Sort((one, other) => one.Used.CompareTo(other.Used)); // the policy sees them in the order of their use
        Dictionary<long, long> segments = [];
        foreach ((long id, long slots) in catalogue.Rows("SELECT id, slots FROM segments WHERE slot_bytes = $0",
            row => (row.Number(0), row.Number(1)), slotBytes))
            segments[id] = slots;
        return new CatalogueNews(change, clock, trimmed, segments,
            since == 0 ? [] : catalogue.Rows("SELECT key, place FROM evicted WHERE change > $0", row => (row.Key(0), row.Number(1)), since),
            blocks, ReadPins(catalogue, now));
    }

    /// <summary>Reads which blocks somebody keeps.</summary>
    public static List<BlockKey> ReadPins(Catalogue catalogue, DateTimeOffset now) =>
        [.. catalogue.Rows("SELECT DISTINCT key FROM pins WHERE until > $0",
            row => row.Digest(0), now.ToUnixTimeSeconds())
            .Where(key => key is not null).Select(key => new BlockKey(key!.Value))];
}
