using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.KvCache.Layout;
using Kvasir.Tests.KvCache.Tiers;
using Kvasir.Tests.Model;

namespace Kvasir.Tests.Server;

/// <summary>What a server tells of layers with windows, which keep theirs apart: their bytes, and what is wrong with their tiers.</summary>
public sealed class WindowStatsTests
{
    static bool IsWindowed(KvLayout layout) => layout.Layers.Any(layer => layer.State is LayerState.Window);

    [Fact]
    public async Task Their_bytes_are_a_part_of_each_tiers_and_what_is_wrong_with_theirs_alone_is_told()
    {
        FakeTier? store = null;
        await using ServerFixture server = await ServerFixture.Start(new EngineOptions
        {
            Context = 1024,
            Sequences = 2,
            KvHostBytes = 16 << 20,
            KvFurtherTiers = [(layout, _) => IsWindowed(layout) ? store = new FakeTier(layout) : new FakeTier(layout)],
        }, model: SagaVariantTests.PathOf("saga-window"), hasDisk: true);
        await server.Ask("/v1/completions", new JsonObject { ["prompt"] = ServerFixture.LongText(40), ["max_tokens"] = 2 });
        server.Engine.Cache.Flush(TimeSpan.FromSeconds(20));
        JsonElement stats = await server.Get("/v1/kv/stats"), windows = stats.GetProperty("windows");
        Assert.Equal(128, windows.GetProperty("tokens").GetInt32());
        foreach (string tier in (string[])["device", "host", "disk"])
        {
            JsonElement all = Of(stats, tier), part = Of(windows, tier);
            Assert.InRange(Bytes(part), 1, Bytes(all) - 1);
        }
        var (full, apart) = (server.Engine.Cache.Device, server.Engine.Cache.Windows!.Device);
        Assert.Equal(full.Counts.Total * full.Layout.StrideBytes + apart.Counts.Total * apart.Layout.StrideBytes,
            Of(stats, "device").GetProperty("capacity_bytes").GetInt64());
        Assert.Equal("""{"status":"ok"}""", await server.Client.GetStringAsync("/health", ServerFixture.Patience));

        store!.Problem = "the store has gone";
        Assert.Equal(store.Problem, server.Engine.Cache.Problem);
        Assert.Equal("""{"status":"ok","degraded":["remote"]}""", await server.Client.GetStringAsync("/health", ServerFixture.Patience));
        Assert.Equal(store.Problem, Of(await server.Get("/v1/kv/stats"), "remote").GetProperty("problem").GetString());
        string metrics = await server.Client.GetStringAsync("/metrics", ServerFixture.Patience);
        Assert.Contains("\nkvasir_kv_problem{tier=\"remote\"} 1\n", metrics, StringComparison.Ordinal);
        Assert.Contains("\nkvasir_kv_problem{tier=\"disk\"} 0\n", metrics, StringComparison.Ordinal);
        Assert.Contains($"\nkvasir_kv_window_used_bytes{{tier=\"host\"}} {Bytes(Of(windows, "host"))}\n", metrics, StringComparison.Ordinal);
    }

    static JsonElement Of(JsonElement stats, string tier) =>
        stats.GetProperty("tiers").EnumerateArray().Single(each => each.GetProperty("tier").GetString() == tier);

    static long Bytes(JsonElement tier) => tier.GetProperty("used_bytes").GetInt64();
}
