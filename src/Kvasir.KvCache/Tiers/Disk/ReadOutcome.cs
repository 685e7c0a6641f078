namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>What became of reading a block back. Whatever is on the disk counts as somebody else's: everything but <see cref="Ok"/> is a miss, and no exception.</summary>
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

    /// <summary>The disk did not give it.</summary>
    IoError,
}
