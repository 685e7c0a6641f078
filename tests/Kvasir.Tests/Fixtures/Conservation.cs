using Kvasir.Inference;
using Kvasir.KvCache.Blocks;

namespace Kvasir.Tests.Fixtures;

/// <summary>Every block is somewhere, and nobody holds one when nothing runs.</summary>
static class Conservation
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    /// <summary>No block of device or host is leased or arriving, once what is being written or read is over.</summary>
    public static void AssertNothingLeased(this InferenceEngine engine)
    {
        Assert.True(engine.Cache.Flush(s_patience), "blocks are still being written");
        SpinWait.SpinUntil(() => engine.Cache.Device.Counts is { Leased: 0, InFlight: 0 }, s_patience); // what a slow tier still reads
        PoolCounts device = engine.Cache.Device.CheckConservation();
        Assert.Equal((0, 0), (device.Leased, device.InFlight));
        if (engine.Cache.Windows?.Device is { } windows)
        {
            SpinWait.SpinUntil(() => windows.Counts is { Leased: 0, InFlight: 0 }, s_patience);
            PoolCounts counts = windows.CheckConservation();
            Assert.Equal((0, 0), (counts.Leased, counts.InFlight));
        }
        if (engine.Cache.Host?.CheckConservation() is { } host)
            Assert.Equal((0, 0), (host.Leased, host.InFlight));
        if (engine.Cache.Streamed?.File?.CheckConservation() is { } file)
            Assert.Equal((0, 0), (file.Leased, file.InFlight));
    }
}
