using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Retention;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Sizing;
using Kvasir.Planning.Traces;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Reuse;
using Kvasir.Tests.Sizing;

namespace Kvasir.Tests.Simulation;

/// <summary>
/// Views of simulated fleets. By hand: a model of 2 layers of 2 heads of 64 in f16 has blocks of 16 KiB; of a prefix of 8 blocks a half
/// takes 4 slots, and so does a window of 64 tokens.
/// </summary>
public sealed class RetentionSimulationTests
{
    const int BlockTokens = 16, BlockBytes = 16_384;

    static readonly KvSize s_size = new(Specs.Dense(2, 2, 2, 64), Specs.Kv("f16"));

    static SimulationOptions Fleet(int blocks, string policy) => new()
    {
        Tiers = [new SimulatedTier(Tier.Device, (long)blocks * BlockBytes, double.PositiveInfinity, TimeSpan.Zero, "lru")],
        BytesPerToken = BlockBytes / BlockTokens,
        Prefill = new PrefillCost(0.01),
        SecondsPerOutputToken = 1,
        Retention = new SimulatedRetention(KvRetention.Parse(policy), s_size) { QuestionTokens = BlockTokens },
    };

    /// <summary>A document of eight blocks and a question of one, without an answer.</summary>
    static TraceRequest Ask(double arrival, int document, int question, int answer = 0) => new(TimeSpan.FromSeconds(arrival),
        9 * BlockTokens, answer, [.. Enumerable.Range(0, 8).Select(block => 100L * document + block), 100L * document + 10 + question]);

    static (RetentionResult Views, SimulationResult All, List<int[]> Found) Run(SimulationOptions options, params TraceRequest[] requests)
    {
        List<int[]> found = [];
        SimulationResult result = Simulator.Run(new Trace("test", BlockTokens, requests), options,
            (_, tiers) => found.Add([.. tiers]), null, TestContext.Current.CancellationToken);
        return (result.Retention!, result, found);
    }

    static int[] Nine(int prefix, int last) => [.. Enumerable.Repeat(prefix, 8), last];

    [Fact]
    public void A_view_is_made_once_and_found_by_later_questions()
    {
        (RetentionResult views, SimulationResult all, List<int[]> found) =
            Run(Fleet(100, "replay:50%,min=64"), Ask(0, 1, 1), Ask(10, 1, 2), Ask(20, 1, 1));
        Assert.Equal([Nine(-1, -1), Nine(0, -1), Nine(0, 0)], found); // the third finds what the first computed behind the view, too
        Assert.Equal(1.5 * 1.28, views.ProfileSeconds, 9);
        Assert.Equal(new RetentionResult(1, 2, 0, 0, 2 * 128, 0, 0), views with { ProfileSeconds = 0 });
        Assert.Equal(1.44 + 1.5 * 1.28 + 0.16 + 0.01, all.PrefillSeconds, 9);
        Assert.Equal(1.44 + 1.5 * 1.28, all.Ttft.P99, 9);
        Assert.Equal(2 * 128 + 15, all.HitTokens);
    }

    [Theory]
    [InlineData("window:60+4,min=64", 0)]
    [InlineData("random:50%,min=64", 0)]
    [InlineData("h2o:50%,min=64", 1.28)]
    [InlineData("expected:50%,min=64", 1.28)]
    [InlineData("fastgen:0.9,kept=50%,min=64", 0.32)] // 32 rows
    [InlineData("fastgen:0.9+pyramid:50%,min=64", 2.24)] // and a replay, of one and a half prefills
    public void Who_asks_first_pays_for_as_many_rows_as_look(string policy, double seconds)
    {
        RetentionResult views = Run(Fleet(100, policy), Ask(0, 1, 1), Ask(10, 1, 2)).Views;
        Assert.Equal((1, 1, seconds), (views.Made, views.Found, Math.Round(views.ProfileSeconds, 9)));
    }

    [Theory]
    [InlineData("snapkv:50%,min=64")]
    [InlineData("pyramid:50%,min=64")]
    [InlineData("funnel:50%,min=64")]
    public void A_view_that_has_seen_the_question_is_for_it_alone(string policy)
    {
        (RetentionResult views, _, List<int[]> found) = Run(Fleet(100, policy), Ask(0, 1, 1), Ask(10, 1, 2), Ask(20, 1, 1));
        Assert.Equal([Nine(-1, -1), Nine(0, -1), Nine(0, -1)], found); // the prefix exactly, and nothing behind the view
        Assert.Equal((3L, 0L, 0.96), (views.Made, views.Found, Math.Round(views.ProfileSeconds, 9)));
    }

    /// <summary>Of each that is under way, 4 slots and the question; of who begins, the exact prefix beside the view.</summary>
    [Theory]
    [InlineData(23, 3, 0)]
    [InlineData(22, 3, 0)]
    [InlineData(21, 2, 1)]
    public void The_exact_prefix_gives_its_room_back(int blocks, int made, int noRoom)
    {
        RetentionResult views = Run(Fleet(blocks, "window:60+4,min=64"),
            Ask(0, 1, 1, 1000), Ask(10, 2, 1, 1000), Ask(20, 3, 1, 1000)).Views;
        Assert.Equal((made, noRoom, noRoom), (views.Made, views.NoRoom, views.Exact));
    }

    [Fact]
    public void A_view_that_nobody_reads_gives_way_when_the_pool_wants_its_room()
    {
        RetentionResult views = Run(Fleet(13, "window:60+4,min=64"), Ask(0, 1, 1), Ask(10, 2, 1), Ask(20, 2, 2), Ask(30, 1, 1)).Views;
        Assert.Equal((3L, 1L, 2L), (views.Made, views.Found, views.Reclaimed));
    }

    [Theory]
    [InlineData("window:60+4,min=129")]
    [InlineData("window:200+4,min=64")] // keeps all of it
    [InlineData("100%,min=0")]
    public void A_short_prefix_is_kept_whole(string policy)
    {
        (RetentionResult views, _, List<int[]> found) = Run(Fleet(100, policy), Ask(0, 1, 1), Ask(10, 1, 2));
        Assert.Equal((0L, 2L, 0L), (views.Made, views.Exact, views.NoRoom));
        Assert.Equal([Nine(-1, -1), Nine(0, -1)], found);
    }

    [Fact]
    public void A_later_turn_goes_on_behind_the_view_until_too_much_stands_behind_it()
    {
        TraceRequest Turn(double arrival, int blocks) =>
            new(TimeSpan.FromSeconds(arrival), blocks * BlockTokens, 0, [.. Enumerable.Range(1, blocks).Select(id => (long)id)]);
        RetentionResult views = Run(Fleet(1000, "window:60+4,min=64"), Turn(0, 9), Turn(10, 8 + 32 + 1), Turn(20, 8 + 33 + 1)).Views;
        Assert.Equal((2L, 1L, 128L), (views.Made, views.Found, views.Tokens)); // 512 tokens are no reason for another, 528 are
    }

    [Fact]
    public void A_view_goes_with_its_machine()
    {
        SimulationOptions options = Fleet(100, "window:60+4,min=64") with
        {
            Faults = [new Fault(TimeSpan.FromSeconds(5), FaultKind.NodeLoss, 0, 0)],
        };
        Assert.Equal((2L, 0L), Run(options, Ask(0, 1, 1), Ask(10, 1, 2)).Views is var views ? (views.Made, views.Found) : default);
    }

    [Fact]
    public void Answers_behind_views_are_as_fast_as_is_said()
    {
        SimulationOptions options = Fleet(18, "window:60+4,min=64");
        TraceRequest[] requests = [Ask(0, 1, 1, 20), Ask(10, 2, 1), Ask(20, 3, 1)];
        Assert.Equal(1, Run(options with { Retention = options.Retention! with { SecondsPerOutputToken = 100 } },
            [requests[0], Ask(10, 2, 1, 20), requests[2]]).Views.NoRoom); // two are still under way
        Assert.Equal(0, Run(options with { Retention = options.Retention! with { SecondsPerOutputToken = 0.1 } }, requests).Views.NoRoom);
    }

    [Fact]
    public void Prompts_that_lie_on_several_machines_are_not_thinned()
    {
        SimulationOptions options = Fleet(100, "window:60+4") with { Nodes = 2 };
        Assert.Throws<ArgumentException>(() => Run(options with { PrefillNodes = 1 }, Ask(0, 1, 1)));
        Assert.Throws<ArgumentException>(() => Run(options with { Placement = Placement.Block }, Ask(0, 1, 1)));
    }

    /// <summary>Conversations through the engine and through the simulator: as many views, for as many requests.</summary>
    [Theory]
    [InlineData("window:60+4,min=64")]
    [InlineData("random:30%,min=200")]
    [InlineData("h2o:40%,min=100,type=q8_0")]
    [InlineData("snapkv:30%,min=64")]
    public async Task The_simulator_makes_the_views_that_the_engine_makes(string policy)
    {
        const int Question = 20, DeviceBlocks = 400;
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        RetentionPolicy parsed = RetentionPolicy.Parse(policy)!;
        EngineOptions options = new() { Context = 2048, KvRetention = parsed };
        using CachedEngine probe = new(model, options);
        using CachedEngine cached = new(model, options with { KvDeviceBytes = DeviceBlocks * probe.Cache.Layout.StrideBytes });
        List<TraceRequest> requests = [];
        List<RetentionUse> uses = [];
        foreach ((int[] prompt, int answer) in Conversations())
        {
            GenerationResult result = await cached.Engine.Start(prompt, new GenerationOptions
            {
                MaxTokens = answer, IgnoresEnds = true, Retention = new RetentionOptions(parsed)
                {
                    Prefix = parsed.IsAware ? null : prompt.Length - Question,
                },
            }, cancellation: TestContext.Current.CancellationToken).Result;
            uses.Add(result.Kv.Retention!);
            long[] left = [.. cached.Cache.Keys([.. prompt, .. result.TokenIds.SkipLast(1)]).Select(EngineAgreementTests.Id)];
            requests.Add(new TraceRequest(TimeSpan.FromSeconds(1e6 * requests.Count), prompt.Length, answer,
                [.. cached.Cache.Keys(prompt).Select(EngineAgreementTests.Id)], left));
        }
        KvSize size = new(model.Config, Specs.Kv("f16"));
        Assert.Equal(cached.Cache.Layout.StrideBytes, size.BlockBytes);
        SimulationOptions fleet = EngineAgreementTests.Fleet(DeviceBlocks, 0, hasDisk: false) with
        {
            Retention = new SimulatedRetention(KvRetention.Parse(policy), size) { QuestionTokens = Question },
        };
        RetentionResult views = Run(fleet, [.. requests]).Views;
        Assert.Equal((uses.Count(use => use is { View: not null, WasFound: false }), uses.Count(use => use.WasFound),
                uses.Count(use => use.WhyExact is not null), uses.Where(use => use.WasFound).Sum(use => use.View!.Positions)),
            (views.Made, views.Found, views.Exact, views.Tokens));
        Assert.True(views.Made > 1);
        cached.Cache.Views.Clear();
    }

    static IEnumerable<(int[] Prompt, int Answer)> Conversations()
    {
        Random random = new(3);
        int[] Tokens(int count) => [.. Enumerable.Range(0, count).Select(_ => random.Next(260, 900))];
        int[] system = Tokens(120);
        int[][] chats = [.. Enumerable.Range(0, 4).Select(_ => system)];
        for (int turn = 0; turn < 24; turn++)
        {
            int chat = random.Next(chats.Length);
            yield return (chats[chat] = [.. chats[chat], .. Tokens(random.Next(30, 200))], random.Next(1, 5));
        }
    }
}
