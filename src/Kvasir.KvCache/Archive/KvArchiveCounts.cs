namespace Kvasir.KvCache.Archive;

/// <summary>What reading an archive did.</summary>
/// <param name="Blocks">Blocks in it.</param>
/// <param name="Imported">Those that are new.</param>
/// <param name="Known">Those that were there already.</param>
public readonly record struct KvArchiveCounts(int Blocks, int Imported, int Known)
{
    /// <summary>What reading two did.</summary>
    public static KvArchiveCounts operator +(KvArchiveCounts one, KvArchiveCounts other) =>
        new(one.Blocks + other.Blocks, one.Imported + other.Imported, one.Known + other.Known);

    /// <summary>Blocks for which there was no room, because all memory is in use by others.</summary>
    public int NoRoom => Blocks - Imported - Known;
}
