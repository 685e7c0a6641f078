using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.KvCache.Tiers;
using Kvasir.Tests.Reuse;

namespace Kvasir.Tests.Simulation;

/// <summary>The same requests through the engine and through the simulator: the same hits in the same tiers, block by block.</summary>
public sealed class EngineAgreementTests : IDisposable
{
    internal const int BlockTokens = 16;

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Theory]
    [InlineData(80, 0, false)]
    [InlineData(80, 100, false)]
    [InlineData(80, 0, true)]
    [InlineData(80, 100, true)]
    public async Task The_simulator_finds_what_the_engine_finds(int deviceBlocks, int hostBlocks, bool hasDisk)
    {
        EngineOptions options = new() { Context = 512 };
        using CachedEngine probe = new(_model, options);
        long stride = probe.Cache.Layout.StrideBytes;
        using CachedEngine cached = new(_model, options with
        {
            KvDeviceBytes = deviceBlocks * stride,
            KvHostBytes = hostBlocks * stride,
            KvDisk = hasDisk ? CachedEngine.Disk(_folder["kv"]) : null,
        });
        Assert.Equal(deviceBlocks, cached.Cache.Device.Counts.Total);
        var (requests, expected, _) = await Ask(cached);
        SimulationResult result = AssertSame(requests, expected, Fleet(deviceBlocks, hostBlocks, hasDisk));
        Assert.True(result.Tiers.All(tier => tier.HitBlocks > 0), string.Join(", ", result.Tiers));
    }

    /// <summary>Two machines by turns, over one store that is 5 ms away.</summary>
    [Theory]
    [InlineData(80, 0, false)]
    [InlineData(60, 30, false)]
    [InlineData(60, 30, true)]
    public async Task Machines_that_share_a_store_find_what_simulated_ones_find(int deviceBlocks, int hostBlocks, bool hasDisk)
    {
        EngineOptions options = new() { Context = 512 };
        using CachedEngine probe = new(_model, options);
        long stride = probe.Cache.Layout.StrideBytes;
        FakeTier store = new(probe.Cache.Layout) { IsFar = true, Delay = TimeSpan.FromMilliseconds(5) };
        CachedEngine[] machines = [.. Enumerable.Range(0, 2).Select(machine => new CachedEngine(_model, options with
        {
            KvDeviceBytes = deviceBlocks * stride,
            KvHostBytes = hostBlocks * stride,
            KvDisk = hasDisk ? CachedEngine.Disk(_folder[$"kv{machine}"]) : null,
            KvFurtherTiers = [(_, _) => store],
        }))];
        using CachedEngine one = machines[0], other = machines[1];
        var (requests, expected, _) = await Ask(machines);
        SimulationOptions fleet = Fleet(deviceBlocks, hostBlocks, hasDisk);
        fleet = fleet with
        {
            Nodes = 2,
            Placement = Placement.RoundRobin,
            Tiers = [.. fleet.Tiers, new SimulatedTier(Tier.Remote, 100_000 * BlockTokens, 1e9, TimeSpan.FromMilliseconds(5), "lru")],
        };
        SimulationResult result = AssertSame(requests, expected, fleet);
        Assert.True(result.Tiers[^1].HitBlocks > 100, string.Join(", ", result.Tiers));
        for (int node = 0; node < 2; node++)
            Assert.Equal(expected.Where((_, i) => i % 2 == node).Sum(tiers => tiers.Count(tier => tier == (int)Tier.Remote)) * BlockTokens,
                result.Nodes[node].HitTokens[^1]);
    }

    internal static SimulationResult AssertSame(List<TraceRequest> requests, List<int[]> expected, SimulationOptions fleet)
    {
        List<int[]> found = [];
        SimulationResult result = Simulator.Run(new Trace("engine", BlockTokens, requests), fleet, (_, tiers) => found.Add([.. tiers]),
            null, TestContext.Current.CancellationToken);
        Assert.Equal(expected.Count, found.Count);
        for (int i = 0; i < found.Count; i++)
            Assert.Equal($"{i}: {string.Join(' ', expected[i])}",
                $"{i}: {string.Join(' ', found[i][..expected[i].Length].Select(tier => tier < 0 ? -1 : (int)fleet.Tiers[tier].Tier))}");
        return result;
    }

    internal static SimulationOptions Fleet(int device, int host, bool hasDisk)
    {
        List<SimulatedTier> tiers = [Of(Tier.Device, device, "lru")];
        if (host > 0)
            tiers.Add(Of(Tier.Host, host, "hit-density"));
        if (hasDisk)
            tiers.Add(Of(Tier.Disk, 100_000, "hit-density"));
        return new SimulationOptions { Tiers = [.. tiers], BytesPerToken = 1, Prefill = new PrefillCost(1), SecondsPerOutputToken = 0 };

        static SimulatedTier Of(Tier tier, int blocks, string policy) => new(tier, blocks * BlockTokens, 1e9, TimeSpan.Zero, policy);
    }

    /// <summary>
    /// Conversations that share a system prompt, and prompts that come once; one after another, by turns where there are machines. Of each
    /// prompt, the tiers of its full blocks.
    /// </summary>
    internal static async Task<(List<TraceRequest> Requests, List<int[]> Found, List<int[]> Prompts)> Ask(params CachedEngine[] machines)
    {
        Random random = new(7);
        int[] system = Tokens(random, 100);
        int[][] chats = [.. Enumerable.Range(0, 9).Select(_ => system)];
        List<TraceRequest> requests = [];
        List<int[]> found = [], prompts = [];
        for (int turn = 0; turn < 80; turn++)
        {
            int chat = random.Next(chats.Length);
            CachedEngine cached = machines[turn % machines.Length];
            int[] prompt = turn % 5 == 4
                ? Tokens(random, 150)
                : chats[chat] = [.. chats[chat].Length > 350 ? system : chats[chat], .. Tokens(random, random.Next(5, 60))];
            GenerationResult result = await cached.Engine.Start(prompt, new GenerationOptions
            {
                MaxTokens = random.Next(1, 40), IgnoresEnds = true,
            }, cancellation: TestContext.Current.CancellationToken).Result;
            cached.Cache.Flush(TimeSpan.FromSeconds(10));
            int[] all = [.. prompt, .. result.TokenIds];
            requests.Add(new TraceRequest(TimeSpan.FromSeconds(1_000_000 * turn), prompt.Length, result.TokenIds.Count,
                Ids(cached, prompt), Ids(cached, all[..^1]),
                result.Kv.Tail is { } tail ? new TraceTail(Id(tail.Key), tail.Tokens) : null));
            found.Add(Tiers(result.Kv, prompt.Length));
            prompts.Add(prompt);
            if (turn % 5 != 4)
                chats[chat] = all;
        }
        return (requests, found, prompts);
    }

    static long[] Ids(CachedEngine cached, int[] tokens) => [.. cached.Cache.Keys(tokens).Select(Id)];

    internal static long Id(BlockKey key) => BitConverter.ToInt64(key.Digest.ToArray());

    static int[] Tokens(Random random, int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(260, 900))];

    /// <summary>The tiers of a prompt's blocks before the one with its last token, as the simulator numbers them.</summary>
    internal static int[] Tiers(CacheUse use, int tokens) => [.. Enumerable.Range(0, (tokens - 1) / BlockTokens).Select(block =>
    {
        CacheSpan[] spans = [.. use.Spans.Where(span => span.From < (block + 1) * BlockTokens && block * BlockTokens < span.To)];
        return spans.Length == 1 && spans[0].Tier is { } tier ? (int)tier : -1; // a block that began as another one was computed in part
    })];
}
