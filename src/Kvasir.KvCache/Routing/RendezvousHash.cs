using System.IO.Hashing;
using System.Text;

namespace Kvasir.KvCache.Routing;

/// <summary>
/// Which node a key belongs to, without any state: the one whose weight for the key is highest (Thaler and Ravishankar: "Using name-based
/// mappings to increase hit rates", IEEE/ACM Transactions on Networking 6(1), 1998). When a node goes, only its keys move, and they spread
/// over all others; when one comes, it takes an equal share from each. The same on every machine and in every process.
/// </summary>
public static class RendezvousHash
{
    /// <summary>What a node's name counts as here, and a key that is a text.</summary>
    public static ulong Id(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        return XxHash3.HashToUInt64(Encoding.UTF8.GetBytes(name));
    }

    /// <summary>How much a key belongs to a node.</summary>
    public static ulong Weight(ulong node, ulong key) => Mix(Mix(key) ^ node);

    /// <summary>The index of the node that a key belongs to; -1 when there are none. Of equal ones the first.</summary>
    public static int Highest(ReadOnlySpan<ulong> nodes, ulong key)
    {
        int highest = -1;
        for (int node = 0; node < nodes.Length; node++)
            if (highest < 0 || Weight(nodes[node], key) > Weight(nodes[highest], key))
                highest = node;
        return highest;
    }

    /// <summary>The indexes of all nodes, those first to which a key belongs most: who serves it when the first do not.</summary>
    public static int[] Order(ReadOnlySpan<ulong> nodes, ulong key)
    {
        int[] order = new int[nodes.Length];
        ulong[] lightness = new ulong[nodes.Length];
        for (int node = 0; node < nodes.Length; node++)
            (order[node], lightness[node]) = (node, ~Weight(nodes[node], key));
        Array.Sort(lightness, order);
        return order;
    }

    /// <summary>The end of SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014).</summary>
    static ulong Mix(ulong bits)
    {
        bits = (bits ^ bits >> 30) * 0xBF58476D1CE4E5B9;
        bits = (bits ^ bits >> 27) * 0x94D049BB133111EB;
        return bits ^ bits >> 31;
    }
}
