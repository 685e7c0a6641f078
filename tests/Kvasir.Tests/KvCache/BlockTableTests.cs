using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;

namespace Kvasir.Tests.KvCache;

public class BlockTableTests
{
    static readonly KvLayout s_layout = new(16, F16Codec.Instance, [new KvLayer(new LayerState.Full(), 1, 8, 0)]);

    [Fact]
    public void Room_is_taken_by_whole_blocks_or_not_at_all()
    {
        using var pool = new BlockPool(s_layout, new NativeArena(s_layout, 4));
        using var table = new BlockTable(pool);
        Assert.True(table.TryReserve(17));
        Assert.Equal(32, table.Capacity);
        Assert.False(table.TryReserve(65));
        Assert.Equal(32, table.Capacity);
        Assert.True(table.TryReserve(64));
        Assert.Equal(new PoolCounts(0, 0, 0, 4), pool.CheckConservation());
    }

    [Fact]
    public void All_blocks_come_back()
    {
        using var pool = new BlockPool(s_layout, new NativeArena(s_layout, 4));
        using (var table = new BlockTable(pool))
        {
            Assert.True(table.TryReserve(40));
            table.Fill(0, 20);
            table.Fill(20, 40);
            Assert.Equal(40, table.Length);
        }
        Assert.Equal(new PoolCounts(4, 0, 0, 0), pool.CheckConservation());
    }

    [Fact]
    public void Tokens_beyond_the_room_or_backwards_are_refused()
    {
        using var pool = new BlockPool(s_layout, new NativeArena(s_layout, 4));
        using var table = new BlockTable(pool);
        Assert.True(table.TryReserve(16));
        table.Fill(0, 16);
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Fill(16, 17));
        Assert.Throws<ArgumentOutOfRangeException>(() => table.Fill(8, 16));
    }
}
