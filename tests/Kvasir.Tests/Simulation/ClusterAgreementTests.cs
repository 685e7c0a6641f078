using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Routing;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;
using Kvasir.Tests.Cluster;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.KvCache.Tiers;
using Kvasir.Tests.RemoteTiers;
using Kvasir.Tests.Reuse;
using static Kvasir.Tests.Simulation.EngineAgreementTests;

namespace Kvasir.Tests.Simulation;

/// <summary>The same requests through several engines and through a simulated fleet, by the same policy: as many tokens per tier.</summary>
public sealed class ClusterAgreementTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);

    public void Dispose() => _model.Dispose();

    /// <summary>Three machines over one store, each prompt sent where the policy of routers says.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Machines_behind_a_router_find_what_simulated_ones_find(bool isRedis)
    {
        const int Nodes = 3, DeviceBlocks = 60, HostBlocks = 30;
        using RedisServer? redis = isRedis ? new RedisServer() : null;
        using CachedEngine probe = new(_model, new EngineOptions { Context = 512 });
        long stride = probe.Cache.Layout.StrideBytes;
        FakeTier store = new(probe.Cache.Layout) { IsFar = true, Delay = TimeSpan.FromMilliseconds(5) };
        EngineOptions options = new() { Context = 512, KvDeviceBytes = DeviceBlocks * stride, KvHostBytes = HostBlocks * stride };
        CachedEngine[] machines = [.. Enumerable.Range(0, Nodes).Select(_ => redis is null
            ? new CachedEngine(_model, options with { KvFurtherTiers = [(_, _) => store] })
            : new RemoteEngine(_model, redis.Address, options: options).Connected().Cached)];
        using CachedEngine one = machines[0], other = machines[1], third = machines[2];
        var (planned, _, prompts) = await Ask(probe);
        Replayed real = await Replay(planned, prompts, machines);
        SimulationOptions fleet = Fleet(DeviceBlocks, HostBlocks, hasDisk: false);
        fleet = fleet with
        {
            Nodes = Nodes,
            Placement = Placement.Prefix,
            Tiers = [.. fleet.Tiers, new SimulatedTier(Tier.Remote, 100_000 * BlockTokens, 1e9, TimeSpan.FromMilliseconds(5), "lru")],
        };
        SimulationResult result = AssertSame(real.Requests, real.Found, fleet);
        Assert.All(result.Tiers, tier => Assert.True(tier.HitBlocks > 0, $"{tier}"));
        for (int node = 0; node < Nodes; node++)
        {
            Assert.Equal(real.Chosen.Count(machine => machine == node), result.Nodes[node].Requests);
            Assert.True(result.Nodes[node].Requests > 0);
            for (int tier = 0; tier < fleet.Tiers.Length; tier++)
                AssertClose(real.Tokens(node, fleet.Tiers[tier].Tier), result.Nodes[node].HitTokens[tier]);
        }
    }

    /// <summary>One machine computes the prompts of another: as many tokens found here, sent, and computed there.</summary>
    [Fact]
    public async Task A_machine_that_computes_for_another_does_what_a_simulated_one_does()
    {
        const int DeviceBlocks = 120;
        using CachedEngine probe = new(_model, new EngineOptions { Context = 512 });
        using SplitPair pair = new SplitPair(_model, options: new EngineOptions
        {
            Context = 512, KvDeviceBytes = DeviceBlocks * probe.Cache.Layout.StrideBytes, KvHostBytes = 0,
        }).Connected();
        var (planned, _, prompts) = await Ask(probe);
        Replayed real = await Replay(planned, prompts, [pair.Decode]);
        SimulationOptions fleet = Fleet(DeviceBlocks, 0, hasDisk: false) with { PrefillNodes = 1 };
        SimulationResult result = Simulator.Run(new Trace("engine", BlockTokens, real.Requests), fleet, progress: null,
            TestContext.Current.CancellationToken);
        NodeResult answers = result.Nodes[0], computes = result.Nodes[1];
        AssertClose(real.Tokens(0, Tier.Device), answers.HitTokens[0]);
        AssertClose(real.Tokens(0, Tier.Peer), answers.PeerTokens);
        AssertClose(pair.Prefill.Serving.ComputedTokens, computes.InputTokens - computes.HitTokens[0] - computes.PeerTokens);
    }

    static void AssertClose(long real, long simulated) =>
        Assert.True(Math.Abs(real - simulated) <= 0.01 * Math.Max(real, simulated), $"{real} tokens, and {simulated} in the simulation");

    /// <summary>What real machines made of requests.</summary>
    sealed record Replayed(List<TraceRequest> Requests, List<int[]> Found, List<CacheUse> Uses, List<int> Chosen)
    {
        public long Tokens(int node, Tier tier) => Uses.Where((_, i) => Chosen[i] == node).Sum(use => tier switch
        {
            Tier.Device => use.Device,
            Tier.Host => use.Host,
            Tier.Remote => use.Remote,
            _ => use.Peer,
        });
    }

    /// <summary>The same prompts once more, by a router.</summary>
    static async Task<Replayed> Replay(List<TraceRequest> planned, List<int[]> prompts, CachedEngine[] machines)
    {
        CalmRouter router = new(machines);
        Replayed replayed = new([], [], [], []);
        foreach ((TraceRequest request, int[] prompt) in planned.Zip(prompts))
        {
            int machine = router.Choose(request, machines[0].Cache.Keys(prompt));
            GenerationResult result = await machines[machine].Engine.Start(prompt, new GenerationOptions
            {
                MaxTokens = request.OutputTokens, IgnoresEnds = true,
            }, cancellation: TestContext.Current.CancellationToken).Result;
            machines[machine].Cache.Flush(TimeSpan.FromSeconds(10));
            replayed.Requests.Add(request with { Tail = result.Kv.Tail is { } tail ? new TraceTail(Id(tail.Key), tail.Tokens) : null });
            replayed.Found.Add(Tiers(result.Kv, prompt.Length));
            replayed.Uses.Add(result.Kv);
            replayed.Chosen.Add(machine);
        }
        return replayed;
    }

    /// <summary>A router that has heard everything before the next request comes, and whose machines have nothing to do then.</summary>
    sealed class CalmRouter(CachedEngine[] machines)
    {
        readonly PrefixMap _prefixes = new(100_000);
        readonly TraceSessions _sessions = new(BlockTokens);
        readonly Dictionary<ulong, BlockKey>[] _sent = [.. machines.Select(_ => new Dictionary<ulong, BlockKey>())];

        public int Choose(TraceRequest request, IReadOnlyList<BlockKey> keys)
        {
            for (int machine = 0; machine < machines.Length; machine++)
                _prefixes.Remove(machine, Gone(machine));
            ulong[] chain = [.. request.Blocks.Take(request.InputTokens / BlockTokens).Select(id => Visit.Mix((ulong)id))];
            RoutedPrompt prompt = new(chain, request.InputTokens, BlockTokens, Visit.Mix((ulong)_sessions.Of(request)));
            NodeState[] nodes = [.. machines.Select((_, number) => new NodeState(number, RendezvousHash.Id($"machine {number}"), default))];
            int chosen = RoutingPolicy.Create(RoutingPolicyKind.Prefix, _prefixes).Choose(prompt, nodes);
            _prefixes.Add(chosen, chain);
            for (int block = 0; block < chain.Length; block++)
                _sent[chosen][chain[block]] = keys[block];
            return chosen;
        }

        /// <summary>What has left a machine's own tiers.</summary>
        ulong[] Gone(int machine)
        {
            ulong[] gone = [.. _sent[machine].Where(sent => !machines[machine].Cache.Device.Contains(sent.Value)
                && machines[machine].Cache.Host?.Contains(sent.Value) != true).Select(sent => sent.Key)];
            Array.ForEach(gone, hash => _sent[machine].Remove(hash));
            return gone;
        }
    }
}
