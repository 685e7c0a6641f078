using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Reuse;
using StackExchange.Redis;
using static Kvasir.Tests.RemoteTiers.RemoteEngine;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>Engines that share nothing but a store find there what any of them computed, bit for bit.</summary>
public sealed class RemoteTierTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly RedisServer _server = new();

    public void Dispose()
    {
        _server.Dispose();
        _model.Dispose();
    }

    RemoteEngine Engine(string query = "", byte[]? key = null, EngineOptions? options = null) =>
        new(_model, _server.Address + query, key: key, options: options);

    void Fill(string query = "", byte[]? key = null)
    {
        using RemoteEngine first = Engine(query, key);
        first.Filled(Prompt());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_one_engine_computed_another_loads_bit_for_bit(bool isSealed)
    {
        byte[]? key = isSealed ? [.. Enumerable.Range(0, 32).Select(i => (byte)i)] : null;
        Fill(key: key);
        using RemoteEngine second = Engine(key: key);
        second.AssertLoadsAll(_model);
    }

    [Fact]
    public void A_prompt_that_diverges_inside_a_run_finds_what_it_shares()
    {
        Fill();
        int[] other = [.. Prompt().Take(100), .. Prompt(2).Skip(100)];
        using RemoteEngine second = Engine();
        CachedEngine.Answer answer = second.Cached.Ask(other);
        answer.AssertSameBits(Fresh(_model, other), "diverged");
        Assert.Equal(100, answer.Use.Remote); // six blocks, and four tokens of the next
    }

    [Fact]
    public void Blocks_that_are_gone_are_holes()
    {
        Fill();
        using RemoteEngine second = Engine();
        BlockKey[] keys = [.. second.Cache.Keys(Prompt())];
        Assert.NotNull(second.Tier.Describe(keys[0])); // connected
        Assert.Equal((2, 0), second.Cache.Evict([keys[3], keys[7]], Tier.Remote));
        CachedEngine.Answer answer = second.Cached.Ask(Prompt());
        answer.AssertSameBits(Fresh(_model, Prompt()), "with holes");
        Assert.Equal(33, answer.Computed);
        second.Cached.Flush();
        using RemoteEngine third = Engine(); // they were written again
        Assert.Equal(1, third.Cached.Ask(Prompt()).Computed);
    }

    [Fact]
    public void Values_that_are_damaged_are_misses_and_written_again()
    {
        Fill();
        _server.Ask((database, server) =>
        {
            foreach (RedisKey name in server.Keys(pattern: "*:v:*"))
            {
                byte[] value = (byte[])database.StringGet(name)!;
                value[^1] ^= 1;
                database.StringSet(name, value);
            }
            return 0;
        });
        using (RemoteEngine second = Engine())
        {
            CachedEngine.Answer answer = second.Cached.Ask(Prompt());
            answer.AssertSameBits(Fresh(_model, Prompt()), "damaged");
            Miss failed = answer.Use.Misses.First(miss => miss.Reason == MissReason.LoadFailed);
            Assert.Equal((Tier.Remote, "wrong_payload_checksum"), (failed.Tier!.Value, failed.Detail));
            Assert.True(answer.Computed > 1);
            Assert.True(second.Tier.Counted(CounterName.Corrupt("wrong_payload_checksum")) > 0);
            second.Cached.Flush();
        }
        using RemoteEngine third = Engine();
        Assert.Equal(1, third.Cached.Ask(Prompt()).Computed);
    }

    [Fact]
    public void Values_that_the_store_has_evicted_are_misses_and_written_again()
    {
        Fill();
        _server.Ask((database, server) => database.KeyDelete([.. server.Keys(pattern: "*:v:*")]));
        using (RemoteEngine second = Engine())
        {
            CachedEngine.Answer answer = second.Cached.Ask(Prompt());
            answer.AssertSameBits(Fresh(_model, Prompt()), "evicted");
            Assert.Contains(answer.Use.Misses, miss => miss is { Reason: MissReason.LoadFailed, Detail: "gone" });
            second.Cached.Flush();
        }
        using RemoteEngine third = Engine();
        Assert.Equal(1, third.Cached.Ask(Prompt()).Computed);
    }

    [Fact]
    public void Everything_has_a_time_to_live_which_use_renews()
    {
        Fill("?ttl=1000s");
        Assert.All(_server.Names("*default:[^m]:*"), name => Assert.InRange(Life(name), 900, 1000));
        Assert.InRange(Life(Assert.Single(_server.Names("*:m:*"))), 1e6, 1e8); // the model's card
        _server.Ask((database, server) => server.Keys().ToArray().Count(name => database.KeyExpire(name, TimeSpan.FromSeconds(50))));
        using (RemoteEngine second = Engine("?ttl=1000s"))
            Assert.Equal(202, second.Cached.Ask(Prompt()).Use.Remote);
        Assert.All(_server.Names("*:v:*"), name => Assert.InRange(Life(name), 1, 50)); // not in the first half of its life: it was just renewed
        using (RemoteEngine third = new(_model, _server.Address + "?ttl=1000s", time: new LaterClock(TimeSpan.FromSeconds(600))))
            Assert.Equal(202, third.Cached.Ask(Prompt()).Use.Remote);
        Assert.All(_server.Names("*:[vb]:*"), name => Assert.InRange(Life(name), 900, 1000));
        Assert.Single(_server.Names("*:t:*"), name => Life(name) > 900); // where this prompt ended
    }

    [Theory]
    [InlineData(3)]
    [InlineData(-3)]
    public void What_a_machine_with_a_wrong_clock_wrote_lives_on_when_it_is_used(int days)
    {
        using (RemoteEngine wrong = new(_model, _server.Address + "?ttl=1000s", time: new LaterClock(TimeSpan.FromDays(days))))
            wrong.Filled(Prompt());
        Assert.All(_server.Names("*:v:*"), name => Assert.InRange(Life(name), 900, 1000));
        _server.Ask((database, server) => server.Keys().ToArray().Count(name => database.KeyExpire(name, TimeSpan.FromSeconds(50))));
        using (RemoteEngine second = Engine("?ttl=1000s"))
            Assert.Equal(202, second.Cached.Ask(Prompt()).Use.Remote);
        Assert.All(_server.Names("*:[vb]:*"), name => Assert.InRange(Life(name), 900, 1000));
    }

    double Life(string name) => _server.Ask((database, _) => database.KeyTimeToLive(name)!.Value.TotalSeconds);

    [Fact]
    public void Pins_outlive_the_usual_time_and_evictions()
    {
        Fill("?ttl=100s");
        using RemoteEngine second = Engine("?ttl=100s");
        IReadOnlyList<BlockKey> keys = second.Cache.Keys(Prompt());
        second.Tier.Describe(keys[0]);
        second.Cached.Ask(Prompt());
        Assert.Equal(13, second.Tier.Pin([.. keys], "me", DateTimeOffset.UtcNow.AddHours(1)));
        Assert.Equal(1, second.Tier.Pin([keys[0]], "you", DateTimeOffset.UtcNow.AddHours(2)));
        Assert.All(_server.Names("*:v:*"), name => Assert.InRange(Life(name), 3500, 7200));
        Assert.Equal((0, 13), second.Tier.Evict([.. keys]));
        Assert.Equal(13, second.Tier.List(100).Count(block => block.IsPinned));
        Assert.Equal(13, second.Tier.Unpin("me"));
        Assert.Equal((12, 1), second.Tier.Evict([.. keys]));
        Assert.Equal(1, second.Tier.Unpin([keys[0]]));
        Assert.Equal((1, 0), second.Tier.Evict([.. keys]));
        Assert.Empty(_server.Names("*:b:*"));
        Assert.Empty(_server.Names("*:t:*"));
    }

    [Fact]
    public void Lists_show_this_models_blocks()
    {
        Fill();
        using RemoteEngine second = Engine();
        second.Cached.Ask(Prompt(5), leave: false);
        second.Cached.Flush();
        IReadOnlyList<TierBlock> blocks = second.Tier.List(100);
        Assert.Equal(second.Cache.Keys(Prompt()).Concat(second.Cache.Keys(Prompt(5)).Take(12)).Order(Comparer<BlockKey>.Create(
            (one, other) => string.CompareOrdinal($"{one}", $"{other}"))), blocks.Select(block => block.Key).Order(Comparer<BlockKey>.Create(
            (one, other) => string.CompareOrdinal($"{one}", $"{other}"))));
        Assert.Equal(Prompt()[..16], second.Tier.Describe(second.Cache.Keys(Prompt())[0])!.Tokens);
        Assert.Null(second.Tier.Describe(second.Cache.Keys(Prompt(9))[0]));
        Assert.True(second.Tier.Content().UsedBytes > 0);
    }

    [Fact]
    public void Other_salts_prefixes_and_keys_find_nothing()
    {
        byte[] key = new byte[32];
        Fill(key: key);
        using RemoteEngine same = Engine(key: key);
        Assert.Equal(0, same.Cached.Ask(Prompt(), salt: "somebody else").Use.Remote);
        Assert.Equal(202, same.Cached.Ask(Prompt()).Use.Remote);
        using RemoteEngine clear = Engine(), elsewhere = Engine("?prefix=other", key), otherKey = Engine(key: [.. key.Select(_ => (byte)1)]);
        Assert.All((RemoteEngine[])[clear, elsewhere, otherKey], engine => Assert.Equal(0, engine.Cached.Ask(Prompt()).Use.Remote));
    }
}
