namespace Kvasir.KvCache.Blocks;

/// <summary>
/// What became of reading a block back. Whatever is on the disk counts as somebody else's: everything but
/// <see cref="Ok"/> is a miss, and no exception.
/// </summary>
public enum ReadOutcome
{
    /// <summary>The block, as it was written.</summary>
    Ok,

    /// <summary>The slot's file is gone.</summary>
    Gone,

    /// <summary>No block's header.</summary>
    WrongMagic,

    /// <summary>A header of another version.</summary>
    WrongVersion,

    /// <summary>A damaged header.</summary>
    WrongHeaderChecksum,

    /// <summary>Another block.</summary>
    WrongKey,

    /// <summary>The block says that it follows another one.</summary>
    WrongParent,

    /// <summary>A block of another model.</summary>
    WrongFingerprint,

    /// <summary>The block holds other tokens.</summary>
    WrongTokens,

    /// <summary>The block has another size or other groups.</summary>
    WrongLength,

    /// <summary>Damaged keys and values.</summary>
    WrongPayloadChecksum,

    /// <summary>The disk did not give it, or the machine that had it is gone.</summary>
    IoError,

    /// <summary>Another machine did not bring it in a time that is worth waiting for.</summary>
    Late,
}

/// <summary>What outcomes are called wherever a program or a person reads of one.</summary>
public static class ReadOutcomes
{
    static readonly string[] s_names =
        [.. Enum.GetNames<ReadOutcome>().Select(System.Text.Json.JsonNamingPolicy.SnakeCaseLower.ConvertName)];

    /// <summary>The name, such as <c>wrong_key</c>.</summary>
    public static string Name(this ReadOutcome outcome) => s_names[(int)outcome];
}
