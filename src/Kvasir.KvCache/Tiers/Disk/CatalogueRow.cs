using Kvasir.KvCache.Prefixes;
using Microsoft.Data.Sqlite;

namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>
/// A row of the catalogue. Its values are taken for a stranger's, whatever the columns are declared as: one that nobody of us could have
/// written reads as none, and never throws.
/// </summary>
readonly struct CatalogueRow(SqliteDataReader reader)
{
    /// <summary>More than anything that is counted here: sums of a thousand of them are still numbers.</summary>
    public const long MostCount = 1L << 53;

    const int MostTokens = 1 << 16, MostCharacters = 4096;

    /// <summary>A number from 0 to a bound; 0 where there is none.</summary>
    public long Integer(int column, long most = MostCount) => Math.Clamp(Count(reader.GetValue(column)), 0, most);

    /// <summary>A number as it stands; -1 where there is none.</summary>
    public long Number(int column) => reader.GetValue(column) is long number ? number : -1;

    /// <summary>A text; empty where there is none.</summary>
    public string Text(int column) =>
        reader.GetValue(column) is string text ? text[..Math.Min(text.Length, MostCharacters)] : "";

    /// <summary>A digest; null where there is none.</summary>
    public Digest? Digest(int column) =>
        reader.GetValue(column) is byte[] { Length: Prefixes.Digest.Size } bytes ? new Digest(bytes) : null;

    /// <summary>A key; that of nothing where there is none.</summary>
    public BlockKey Key(int column) => new(Digest(column) ?? default);

    /// <summary>A fingerprint; that of nothing where there is none.</summary>
    public Fingerprint Fingerprint(int column) => new(Digest(column) ?? default);

    /// <summary>The tokens of a block; none where there are none.</summary>
    public int[] Tokens(int column) =>
        reader.GetValue(column) is byte[] { Length: <= MostTokens * sizeof(int) } bytes ? TokenBlob.Read(bytes) : [];

    /// <summary>A time, of those that can be told.</summary>
    public DateTimeOffset Time(int column) =>
        DateTimeOffset.FromUnixTimeSeconds(Integer(column, DateTimeOffset.MaxValue.ToUnixTimeSeconds()));

    /// <summary>Whether there is nothing.</summary>
    public bool IsEmpty(int column) => reader.IsDBNull(column);

    /// <summary>A counter as it was stored; 0 where that could not have been.</summary>
    public static long Count(object? value) => value is long and >= 0 and var number ? number : 0;
}
