using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.RemoteTiers;
using Kvasir.RemoteTiers.Settings;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>Servers that share a store: what it did is in every answer, in the statistics and in the metrics, as of any tier.</summary>
public sealed class RemoteServerTests : IDisposable
{
    readonly RedisServer _store = new();

    public void Dispose() => _store.Dispose();

    Task<ServerFixture> Serve() => ServerFixture.Start(new EngineOptions
    {
        Context = 1024, Sequences = 8,
        KvFurtherTiers = [(layout, fingerprint) => new RemoteTier(
            new RemoteTierOptions { Address = RemoteAddress.Parse(_store.Address), ModelName = "saga" }, layout, fingerprint)],
    });

    [Fact]
    public async Task What_one_server_was_told_to_warm_another_finds_and_says_so()
    {
        JsonObject prompt = new() { ["prompt"] = ServerFixture.LongText(30), ["to"] = "remote" };
        await using (ServerFixture first = await Serve())
        {
            JsonElement warm = await first.Ask("/v1/kv/warm", prompt);
            Assert.Equal(warm.GetProperty("prompt_tokens").GetInt32(), warm.GetProperty("kept_tokens").GetProperty("remote").GetInt32());
        }
        bool found = false;
        // on a busy machine, computing so little may be over before the store has answered
        for (int attempt = 0; attempt < 5 && !found; attempt++)
            found = await Finds();
        Assert.True(found);
    }

    async Task<bool> Finds()
    {
        await using ServerFixture second = await Serve();
        JsonElement answer = await second.Ask("/v1/completions", new JsonObject { ["prompt"] = ServerFixture.LongText(30), ["max_tokens"] = 1 },
            null, ("X-Kvasir-Explain", "1"));
        int tokens = answer.GetProperty("usage").GetProperty("prompt_tokens").GetInt32();
        if (!answer.GetProperty("kvasir").GetProperty("reused").TryGetProperty("remote", out JsonElement reused))
            return false;
        Assert.Equal(tokens - 1, reused.GetInt32());
        JsonElement tier = (await second.Get("/v1/kv/stats")).GetProperty("tiers").EnumerateArray()
            .Single(one => one.GetProperty("tier").GetString() == "remote");
        Assert.Equal(tokens - 1, tier.GetProperty("hit_tokens").GetInt32());
        Assert.True(tier.GetProperty("out_bytes").GetInt64() > 0);
        string metrics = await second.Client.GetStringAsync("/metrics", TestContext.Current.CancellationToken);
        Assert.Contains($"tier=\"remote\"}} {tokens - 1}", metrics, StringComparison.Ordinal);
        return true;
    }
}
