using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Metrics;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// The meter's counters go together: what was looked up was found, or missed for a reason, or is the token that is computed for its logits.
/// </summary>
[Collection(nameof(MetricsTests)), CollectionDefinition(nameof(MetricsTests), DisableParallelization = true)]
public class MetricsTests
{
    [Fact]
    public void Hits_and_misses_add_up_to_lookups_and_leases_return_to_zero()
    {
        ConcurrentDictionary<string, long> sums = new();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, self) =>
            {
                if (instrument.Meter.Name
            == KvCacheMetrics.MeterName) self.EnableMeasurementEvents(instrument);
            }
        };
        listener.SetMeasurementEventCallback<long>(
            (instrument, value, tags, _) => sums.AddOrUpdate(instrument.Name, value, (_, sum) => sum + value));
        listener.Start();
        using var folder = new TemporaryFolder();
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        int[] prompt = [.. Enumerable.Range(0, 100).Select(i => 300 + i)], longer = [.. prompt, .. prompt];
        long evictions, moved;
        using (CachedEngine engine = new(model, CachedEngine.WithDisk(folder["kv"])))
        {
            engine.Ask(prompt);
            engine.Ask(prompt);
            engine.Ask(longer);
            engine.Flush();
            engine.Drop(longer, _ => true);
            engine.Ask(longer);
            engine.Flush();
            (evictions, moved) =
                (engine.Cache.Device.Evictions, engine.Cache.Traffic.Into(Tier.Device).Bytes + engine.Cache.Traffic.Into(Tier.Disk).Bytes);
        }
        Assert.Equal(100 + 100 + 200 + 200, sums["kvasir.kv.lookup.tokens"]);
        Assert.Equal(sums["kvasir.kv.lookup.tokens"], sums["kvasir.kv.hit.tokens"] + sums["kvasir.kv.miss.tokens"] + 4);
        Assert.Equal((evictions, moved), (sums["kvasir.kv.evictions"], sums["kvasir.kv.transfer.bytes"]));
        Assert.Equal((13, true), (evictions, moved > 0)); // all blocks of 200 tokens were dropped, and came back
        Assert.Equal(0, sums["kvasir.kv.leases"]);
    }
}
