using System.Diagnostics;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Reuse;
using static Kvasir.Tests.RemoteTiers.RemoteEngine;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>A store that is dead, frozen, full or locked costs a little time, never an answer.</summary>
public sealed class RemoteFaultTests : IDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);

    public void Dispose() => _model.Dispose();

    RemoteEngine Engine(RedisServer server, string? password = null) => new(_model, server.Address, password);

    void AssertComputes(RemoteEngine engine, string how, int kind = 1)
    {
        CachedEngine.Answer answer = engine.Cached.Ask(Prompt(kind), leave: false);
        answer.AssertSameBits(Fresh(_model, Prompt(kind)), how);
    }

    [Fact]
    public void A_store_that_is_not_there_is_told_once_and_found_when_it_comes()
    {
        using RedisServer server = new();
        server.Kill();
        using RemoteEngine engine = Engine(server);
        AssertComputes(engine, "without a store");
        Assert.True(SpinWait.SpinUntil(() => engine.Log.Length > 0, s_patience));
        AssertComputes(engine, "without a store", kind: 2);
        Assert.StartsWith($"{server.Address}: ", Assert.Single(engine.Log), StringComparison.Ordinal);
        Assert.NotNull(engine.Tier.Problem);
        Assert.False(engine.Tier.CanWrite);
        server.Restart();
        Assert.True(SpinWait.SpinUntil(() => engine.Tier.CanWrite, s_patience));
        Assert.Null(engine.Tier.Problem);
        engine.Filled(Prompt(3));
        Assert.NotEmpty(server.Names("*:v:*"));
    }

    [Fact]
    public async Task A_prompt_whose_end_does_not_come_is_computed_while_others_go_on()
    {
        CancellationToken patience = TestContext.Current.CancellationToken;
        using RedisServer server = new();
        BlockKey tail;
        using (RemoteEngine first = Engine(server))
            tail = first.Filled(Prompt()).Cache.Keys(Prompt())[^1];
        string value = Assert.Single(server.Names($"*:v:{tail}:*"));
        server.Ask((database, _) =>
        {
            byte[] bytes = database.StringGet(value)!;
            bytes[^1] ^= 1; // of its last block
            return database.StringSet(value, bytes);
        });
        using RemoteEngine second = new RemoteEngine(_model, server.Address,
            options: new EngineOptions { Context = 512, Sequences = 4 }).Connected();
        InferenceEngine engine = second.Cached.Engine;
        engine.Cache.Costs.Computed(1, TimeSpan.FromSeconds(10)); // computing counts as slow: the store is waited for
        engine.Cache.Costs.IsFrozen = true;
        using var over = CancellationTokenSource.CreateLinkedTokenSource(patience);
        Completion chat = engine.Start(Prompt(5, 20), new GenerationOptions { MaxTokens = 480, IgnoresEnds = true },
            cancellation: over.Token);
        await chat.Pieces.ReadAsync(patience);
        GenerationResult result = await engine.Start(Prompt(), new GenerationOptions { MaxTokens = 4, IgnoresEnds = true },
            cancellation: patience).Result;
        Assert.Equal(192, result.Kv.Remote);
        Assert.Contains(result.Kv.Misses, miss => miss.Reason == MissReason.LoadFailed);
        await over.CancelAsync();
        using CachedEngine fresh = new(_model, new EngineOptions { Context = 512 });
        GenerationResult expected = await fresh.Engine.Start(Prompt(), new GenerationOptions { MaxTokens = 4, IgnoresEnds = true },
            cancellation: patience).Result;
        Assert.Equal(expected.TokenIds, result.TokenIds);
    }

    [Fact]
    public void A_store_that_dies_is_left_alone_and_used_again_when_it_lives()
    {
        using RedisServer server = new();
        using RemoteEngine engine = Engine(server).Filled(Prompt());
        server.Kill();
        engine.Cached.Drop(Prompt(), _ => true);
        AssertComputes(engine, "dead");
        engine.Cached.Flush();
        Assert.True(SpinWait.SpinUntil(() => engine.Tier.Problem is not null, s_patience));
        server.Restart();
        Assert.True(SpinWait.SpinUntil(() => engine.Tier.CanWrite, s_patience));
        engine.Filled(Prompt(4));
        using RemoteEngine other = Engine(server);
        Assert.Equal(202, other.Cached.Ask(Prompt(4)).Use.Remote);
    }

    [Fact]
    public void Later_requests_do_not_wait_for_a_store_that_is_frozen()
    {
        using RedisServer server = new();
        Engine(server).Filled(Prompt()).Dispose();
        using RemoteEngine engine = Engine(server);
        Assert.NotNull(engine.Tier.Describe(engine.Cache.Keys(Prompt())[0]));
        server.Freeze();
        long start = Stopwatch.GetTimestamp();
        AssertComputes(engine, "frozen");
        Assert.True(SpinWait.SpinUntil(() => engine.Tier.Problem is not null, s_patience));
        Assert.Equal($"{server.Address}: no answer in time; it is left alone until it answers, and everything is computed meanwhile",
            engine.Tier.Problem);
        start = Stopwatch.GetTimestamp();
        AssertComputes(engine, "frozen", kind: 2);
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 1.4); // less than a lookup waits for
        server.Thaw();
        Assert.True(SpinWait.SpinUntil(() => engine.Tier.CanWrite, s_patience));
    }

    [Fact]
    public async Task A_store_that_freezes_between_lookup_and_load_makes_holes()
    {
        using RedisServer server = new();
        Engine(server).Filled(Prompt()).Dispose();
        using RemoteEngine engine = Engine(server);
        using (Sequence sequence = engine.Cached.Engine.NewSequence())
        {
            sequence.Append(Prompt());
            sequence.Blocks.BeginRequest(Prompt().Length);
            PrefixLookup found = await sequence.Blocks.Lookup(sequence.Tokens)!;
            Assert.Equal(202, found.TokensIn(Tier.Remote));
            server.Freeze();
            sequence.Blocks.Place(sequence.Tokens, found);
            float[] logits = engine.Cached.Engine.Forward(sequence, progress: null, CancellationToken.None).ToArray();
            Assert.Equal(Fresh(_model, Prompt()).Logits, logits);
            Assert.Contains(sequence.Blocks.Use.Misses, miss => miss.Reason is MissReason.LoadFailed or MissReason.TooLate);
            sequence.Blocks.EndRequest();
        }
        server.Kill();
    }

    [Fact]
    public void A_full_store_drops_writes_and_says_so_once()
    {
        using RedisServer server = new(null, "--maxmemory", "3mb", "--maxmemory-policy", "noeviction");
        using RemoteEngine engine = Engine(server).Filled([.. Enumerable.Range(1, 12).Select(kind => Prompt(kind))]);
        Assert.Matches("OOM.*writes are dropped", Assert.Single(engine.Log));
        Assert.True(engine.Tier.CanWrite); // it is asked again
        Assert.True(engine.Tier.Counted(CounterName.Dropped) > 0);
        AssertComputes(engine, "full", kind: 13);
    }

    [Fact]
    public void A_password_lets_in_and_is_never_shown()
    {
        const string secret = "open-sesame-7";
        using RedisServer server = new(secret);
        using (RemoteEngine right = Engine(server, secret).Filled(Prompt()))
            Assert.Null(right.Tier.Problem);
        using RemoteEngine written = new(_model, server.Address.Replace("//", $"//:{secret}@", StringComparison.Ordinal));
        Assert.Equal(202, written.Cached.Ask(Prompt()).Use.Remote);
        foreach (string? password in (string?[])[null, "wrong-password-8"])
        {
            using RemoteEngine wrong = Engine(server, password);
            AssertComputes(wrong, "not let in");
            Assert.True(SpinWait.SpinUntil(() => wrong.Tier.Problem is not null, s_patience));
            Assert.Matches("NOAUTH|WRONGPASS|[Aa]uthentic", wrong.Tier.Problem!);
            Assert.DoesNotContain("password-8", string.Join(' ', wrong.Log), StringComparison.Ordinal);
        }
    }
}
