using System.Numerics;

namespace Kvasir.KvCache.Eviction;

/// <summary>Ages in buckets, two to each doubling: how long ago a block was used, in blocks that were used or added since.</summary>
static class BlockAge
{
    /// <summary>How many buckets there are.</summary>
    public const int Buckets = 42;

    const int PerDoubling = 2;
    const int FirstDoublings = 6; // ages below 64 are one bucket

    /// <summary>The bucket of an age.</summary>
    public static int Bucket(uint age)
    {
        int doublings = BitOperations.Log2(age | 1);
        if (doublings < FirstDoublings)
            return 0;
        int half = (int)(age >> (doublings - 1)) & 1;
        return Math.Min(Buckets - 1, (doublings - FirstDoublings) * PerDoubling + half + 1);
    }

    /// <summary>The least age of a bucket.</summary>
    public static double Start(int bucket) =>
        bucket == 0 ? 0 : (1L << (FirstDoublings + (bucket - 1) / PerDoubling)) * (1 + (bucket - 1) % PerDoubling * 0.5);

    /// <summary>From the least age of a bucket to that of the next.</summary>
    public static double Width(int bucket) => Start(bucket + 1) - Start(bucket);
}
