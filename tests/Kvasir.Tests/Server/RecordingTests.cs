using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Server;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>
/// What <c>--record</c> writes: nothing that anybody said, and all that a simulation needs to find what the server found.
/// </summary>
public sealed class RecordingTests : IDisposable
{
    const int Device = 60, Host = 150;

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string Recording => _folder["trace.jsonl"];

    [Fact]
    public async Task A_recorded_server_and_its_simulation_find_the_same_tokens_in_the_same_tiers()
    {
        List<(int Device, int Host)> served = [];
        long blockBytes = await Record(served);
        TraceFile file = TraceReader.Read(Recording, cancellation: ServerFixture.Patience);
        Assert.Equal(served.Count, file.Trace.Requests.Count);
        Assert.Equal(blockBytes / file.Trace.BlockTokens, file.Header!.BytesPerToken);
        SimulationResult result = Simulator.Run(file.Trace, new SimulationOptions
        {
            Tiers = [Tier(Kvasir.KvCache.Blocks.Tier.Device, Device, "lru"), Tier(Kvasir.KvCache.Blocks.Tier.Host, Host, "hit-density")],
            BytesPerToken = blockBytes / file.Trace.BlockTokens, Prefill = new PrefillCost(1e-6), SecondsPerOutputToken = 0,
        }, cancellation: ServerFixture.Patience);
        Assert.Equal((served.Sum(each => (long)each.Device), served.Sum(each => (long)each.Host)),
            (result.Tiers[0].HitTokens, result.Tiers[1].HitTokens));
        Assert.True(result.Tiers[1].HitTokens > 0);

        SimulatedTier Tier(Tier tier, int blocks, string policy) => new(tier, blocks * blockBytes, 1e12, TimeSpan.Zero, policy);
    }

    [Fact]
    public async Task Nothing_of_what_was_said_is_in_the_file_and_the_same_said_again_has_other_ids()
    {
        await Record([]);
        string first = await File.ReadAllTextAsync(Recording, ServerFixture.Patience);
        Assert.DoesNotContain("rabbits", first);
        File.Delete(Recording);
        await Record([]);
        long[] IdsOf(string text) => [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .SelectMany(line => JsonDocument.Parse(line).RootElement.GetProperty("hash_ids").EnumerateArray().Select(id => id.GetInt64()))];
        Assert.Empty(IdsOf(first).Intersect(IdsOf(await File.ReadAllTextAsync(Recording, ServerFixture.Patience))));
    }

    [Fact]
    public async Task A_file_that_is_there_is_not_overwritten()
    {
        await File.WriteAllTextAsync(Recording, "mine", ServerFixture.Patience);
        await Assert.ThrowsAsync<IOException>(() => Record([]));
        Assert.Equal("mine", await File.ReadAllTextAsync(Recording, ServerFixture.Patience));
    }

    /// <summary>
    /// Conversations of some turns, one after another; what the cache gave each prompt, by tier. Returns the bytes of a block.
    /// </summary>
    async Task<long> Record(List<(int Device, int Host)> served)
    {
        using var model = LanguageModel.Load(SagaModel.Path);
        EngineOptions engine = new() { Context = 512 };
        using (InferenceEngine probe = new(model, engine))
            engine = engine with { KvDeviceBytes = Device * probe.Layout.StrideBytes, KvHostBytes = Host * probe.Layout.StrideBytes };
        await using ServerFixture server = await ServerFixture.Start(engine, new ServerOptions { RecordTo = Recording });
        JsonArray[] chats = [.. Enumerable.Range(0, 6).Select(_ => new JsonArray(Message("system", ServerFixture.LongText(10))))];
        for (int turn = 0; turn < 30; turn++)
        {
            JsonArray chat = chats[turn * 7 % 6];
            chat.Add(Message("user", ServerFixture.LongText(2 + turn % 3, turn)));
            JsonElement answer = await server.Ask("/v1/chat/completions", new JsonObject
            {
                ["messages"] = chat.DeepClone(), ["temperature"] = 0, ["max_tokens"] = 5 + turn % 20, ["ignore_eos"] = turn % 2 == 0,
            }, headers: ("X-Kvasir-Explain", "1"));
            chat.Add(Message("assistant", answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString()!));
            JsonElement tiers = answer.GetProperty("kvasir");
            served.Add((TokensOf(tiers, "device"), TokensOf(tiers, "host")));
            await server.AssertIdle();
        }
        return server.Engine.Layout.StrideBytes;
    }

    static JsonObject Message(string role, string content) => new() { ["role"] = role, ["content"] = content };

    static int TokensOf(JsonElement explanation, string tier) => explanation.GetProperty("reused").GetProperty(tier).GetInt32();
}
