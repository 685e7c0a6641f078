namespace Kvasir.RemoteTiers.Settings;

/// <summary>What a store speaks.</summary>
public enum StoreProtocol
{
    /// <summary>Redis's: values under names, with a time to live.</summary>
    Redis,

    /// <summary>S3's: objects in a bucket, of which parts can be read.</summary>
    S3,
}
