using Kvasir.KvCache.Eviction;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Tests.KvCache.Replay;

/// <summary>
/// What decision 7 rests on. The tables are written by
/// <c>artifacts/bin/Kvasir.Tests/debug/Kvasir.Tests -explicit only -showLiveOutput -class '*EvictionReplayTests'</c>.
/// </summary>
public class EvictionReplayTests(ITestOutputHelper output)
{
    static readonly int[] s_capacities = [1000, 2500, 5000, 10_000, 20_000, 40_000];
    static readonly double[] s_shares = [0.1, 0.2, 0.3, 0.5, 0.7, 0.9];

    [Fact]
    public void Small_tiers_gain_by_s3_fifo_and_large_ones_by_lru()
    {
        Trace trace = Trace.Conversation();
        long Lru(int capacity) => CacheReplay.Run(trace, new LeafFirstLru(), capacity).PrefixHits;
        long S3(int capacity) => CacheReplay.Run(trace, new S3Fifo(), capacity).PrefixHits;
        Assert.True(S3(1000) > 1.5 * Lru(1000));
        Assert.True(S3(2500) > 1.7 * Lru(2500));
        Assert.True(S3(5000) > 1.3 * Lru(5000));
        Assert.InRange(S3(20_000), 0.99 * Lru(20_000), 1.01 * Lru(20_000));
        Assert.True(Lru(40_000) > 1.05 * S3(40_000));
    }

    [Fact]
    public void Writing_at_the_end_of_a_request_finds_twice_as_much_on_the_disk_as_writing_at_the_second_use()
    {
        Trace trace = Trace.Conversation();
        HitCounts atEnd = AdmissionReplay.Run(trace, Admission.EndOfRequest, 2500, 40_000).Disk;
        HitCounts atSecondUse = AdmissionReplay.Run(trace, Admission.SecondUse, 2500, 40_000).Disk;
        Assert.True(atEnd.Hits > 2 * atSecondUse.Hits);
        Assert.InRange(atEnd.Written, 4 * atSecondUse.Written, 5 * atSecondUse.Written);
    }

    /// <summary>The trace itself, and what no policy can do: the figures of another simulator of the same trace.</summary>
    [Fact]
    public void An_endless_cache_finds_36_6_percent_and_foresight_27_7_in_2500_blocks()
    {
        Trace trace = Trace.Conversation();
        Assert.Equal(new HitCounts(288_500, 105_710, 105_710, 0), CacheReplay.Infinite(trace));
        Assert.Equal(27.7, CacheReplay.Belady(trace, 2500).PrefixPercent, 1);
    }

    [Theory]
    [InlineData(0.1)]
    [InlineData(0.3)]
    public void Documents_that_are_read_once_do_not_wash_conversations_out_of_s3_fifo(double share)
    {
        Trace trace = Trace.Synthetic(conversations: 40, turns: 3000, scan: 200);
        HitCounts lru = CacheReplay.Run(trace, new LeafFirstLru(), 400), s3 = CacheReplay.Run(trace, new S3Fifo(share), 400);
        Assert.True(s3.Hits > 1.2 * lru.Hits, $"{s3} against {lru}");
    }

    [Fact]
    public void Nothing_beats_foresight_and_room_for_all_finds_all()
    {
        Trace trace = Trace.Synthetic(conversations: 40, turns: 1000, scan: 50);
        HitCounts infinite = CacheReplay.Infinite(trace);
        foreach (int capacity in (int[])[200, 800, trace.Blocks])
            foreach (IEvictionPolicy policy in (IEvictionPolicy[])[new LeafFirstLru(), new S3Fifo()])
            {
                HitCounts counts = CacheReplay.Run(trace, policy, capacity), belady = CacheReplay.Belady(trace, capacity);
                Assert.True(counts.Hits <= belady.Hits && belady.Hits <= infinite.Hits);
                Assert.Equal(capacity == trace.Blocks, counts.Hits == infinite.Hits);
            }
    }

    [Fact(Explicit = true)]
    public void Table_of_policies()
    {
        Trace trace = Trace.Conversation();
        Row("foresight", capacity => CacheReplay.Belady(trace, capacity));
        Row("lru", capacity => CacheReplay.Run(trace, new LeafFirstLru(), capacity));
        foreach (double share in s_shares)
            Row($"s3-fifo {share}", capacity => CacheReplay.Run(trace, new S3Fifo(share), capacity));

        void Row(string name, Func<int, HitCounts> run) =>
            output.WriteLine($"{name,-11} | {string.Join(" | ", s_capacities.Select(run).Select(counts => $"{counts.PrefixPercent,4:f1} ({counts.HitPercent,4:f1})"))}");
    }

    [Fact(Explicit = true)]
    public void Table_of_admissions()
    {
        Trace trace = Trace.Conversation();
        foreach (int host in s_capacities[..3])
            foreach (Admission admission in Enum.GetValues<Admission>())
            {
                (HitCounts total, HitCounts disk) = AdmissionReplay.Run(trace, admission, host, 40_000);
                output.WriteLine($"{host,5} | {admission,-18} | {total.HitPercent:f1} | {disk.HitPercent:f1} | {disk.Written:n0} | "
                    + $"{(double)disk.Written / disk.Hits:f2}");
            }
    }
}
