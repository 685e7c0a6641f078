using System.Buffers.Binary;
using System.Collections.Immutable;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.RemoteTiers.Settings;

namespace Kvasir.RemoteTiers.Values;

/// <summary>
/// How blocks are cut into runs and runs into values. A store of objects takes each request as a trouble of its own: runs are long, and all
/// groups of layers are in one object, of which parts are read. There a run ends at blocks whose key says so: whoever has a prompt knows
/// where its runs would end without asking, and whoever writes need not know how far from the beginning he is.
/// </summary>
/// <param name="MostBlocks">Blocks of a run at most.</param>
/// <param name="EndsEvery">One block of so many ends a run; 0 where keys do not say it.</param>
/// <param name="GroupsPerValue">Groups of layers in a value.</param>
/// <param name="LeastRead">Bytes that a request is worth, if the value has as many: small groups are read together.</param>
/// <param name="Outstanding">Values of the usual size that may be under way at once.</param>
sealed record RunShape(int MostBlocks, int EndsEvery, int GroupsPerValue, long LeastRead, int Outstanding)
{
    const long ValueBytes = 512 << 10, ObjectBytes = 8 << 20, LeastReadOfObject = 1 << 20, BytesUnderWay = 128 << 20;
    const int MostOfValue = 16, LeastOutstanding = 4, MostOutstanding = 64;

    /// <summary>Whether all of a run is one value.</summary>
    public bool IsOfObjects => EndsEvery > 0;

    /// <summary>The shape for a store and a model's groups of layers.</summary>
    public static RunShape For(StoreProtocol store, ImmutableArray<LayerGroup> groups)
    {
        if (store == StoreProtocol.Redis) // values of small models would be too small for a store to be fast
            return new RunShape((int)Math.Clamp(ValueBytes / groups.Max(group => group.Bytes), 1, MostOfValue), 0, 1, 0, MostOutstanding);
        int blocks = (int)Math.Clamp(ObjectBytes / groups.Sum(group => group.Bytes), 1, RunEntry.MostBlocks / 2);
        long part = Math.Max(blocks * groups.Max(group => group.Bytes), LeastReadOfObject);
        int outstanding = (int)Math.Clamp(BytesUnderWay / part, 2, MostOutstanding);
        return new RunShape(2 * blocks, blocks, groups.Length, LeastReadOfObject, outstanding);
    }

    /// <summary>
    /// How many reads each of two threads should have under way: few where the store is near, since each takes memory that is touched anew;
    /// more the longer the way is, which else would be empty.
    /// </summary>
    /// <param name="way">Seconds there and back.</param>
    public int OutstandingFor(double way) => (int)Math.Clamp(way * 1000, Math.Min(LeastOutstanding, Outstanding / 2), Outstanding / 2);

    /// <summary>Whether a block is the last of its run, whoever writes it.</summary>
    public bool Ends(BlockKey key)
    {
        if (!IsOfObjects)
            return false;
        Span<byte> digest = stackalloc byte[Digest.Size];
        key.Digest.CopyTo(digest);
        return BinaryPrimitives.ReadUInt64BigEndian(digest) % (ulong)EndsEvery == 0;
    }
}
