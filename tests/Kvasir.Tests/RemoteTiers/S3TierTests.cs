using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Reuse;
using static Kvasir.Tests.RemoteTiers.RemoteEngine;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>Engines that share nothing but a bucket find there what any of them computed, bit for bit.</summary>
public sealed class S3TierTests : IDisposable
{
    const string Secret = $"{S3Server.Access}:{S3Server.Secret}";

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly S3Server _server = new();

    public void Dispose()
    {
        _server.Dispose();
        _model.Dispose();
    }

    RemoteEngine Engine(string path = "", byte[]? key = null, TimeProvider? time = null) =>
        new RemoteEngine(_model, _server.Address(path), Secret, key, time: time).Connected();

    void Fill(string path = "", byte[]? key = null, params int[][] prompts)
    {
        using RemoteEngine first = Engine(path, key);
        foreach (int[] prompt in prompts.DefaultIfEmpty(Prompt()))
            first.Filled(prompt); // one by one, or the pool would give way before all is written
        Assert.Empty(first.Log);
    }

    CachedEngine.Answer AskAnew(int[] prompt, byte[]? key = null)
    {
        using RemoteEngine engine = Engine(key: key);
        CachedEngine.Answer answer = engine.Cached.Ask(prompt);
        answer.AssertSameBits(Fresh(_model, prompt), "from the bucket");
        engine.Cached.Flush();
        return answer;
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
    public void What_conversations_share_and_what_they_do_not_is_found_whoever_wrote_last()
    {
        int[] shared = Prompt(1, 100);
        int[][] all = [.. Enumerable.Range(2, 5).Select(kind => (int[])[.. shared, .. Prompt(kind, 150)])];
        Fill("", null, all);
        Assert.All(all, prompt => Assert.Equal(1, AskAnew(prompt).Computed));
        int[] other = [.. shared, .. Prompt(9, 50)];
        Assert.Equal(100, AskAnew(other).Use.Remote); // six blocks, and four tokens of the next
    }

    [Fact]
    public void Turns_of_a_conversation_are_found_in_the_runs_that_they_were_written_in()
    {
        int[] all = Prompt(1, 480);
        using (RemoteEngine other = Engine())
            for (int turn = 60; turn < 480; turn += 60)
                // somebody else goes on differently each time
                other.Filled(all[..turn]).Filled([.. all[..(turn - 7)], .. Prompt(turn, 30)]);
        CachedEngine.Answer answer = AskAnew(all);
        Assert.InRange(answer.Use.Remote, 416, 420);
    }

    [Fact]
    public void A_lookup_is_few_requests_and_one_round_trip_where_nobody_else_was()
    {
        Fill();
        using RemoteEngine second = Engine();
        _server.TakeRequests();
        Assert.Equal(202, second.Cached.Ask(Prompt()).Use.Remote);
        S3Request[] requests = _server.TakeRequests();
        S3Request[] index = [.. requests.Where(request => !request.IsOfRun)];
        int runs = requests.Where(request => request.IsOfRun).DistinctBy(request => request.Name).Count();
        int most = runs <= 3 ? 8 : 4 * runs; // a machine that has much else to do writes in more pieces
        Assert.True(index.Length >= 1 && index.Length <= most, string.Join('\n', requests.AsEnumerable()));
        Assert.All(requests.Where(request => request.IsOfRun), request => Assert.NotEqual("", request.Range));
        Assert.DoesNotContain(requests, request => request.Name == ""); // no lists
    }

    [Fact]
    public void Blocks_that_are_gone_are_holes()
    {
        Fill();
        using RemoteEngine second = Engine();
        BlockKey[] keys = [.. second.Cache.Keys(Prompt())];
        second.Cached.Ask(Prompt(), leave: false);
        second.Cached.Drop(Prompt(), _ => true);
        Assert.Equal((2, 0), second.Cache.Evict([keys[3], keys[7]], Tier.Remote));
        Assert.Equal(33, AskAnew(Prompt()).Computed);
        Assert.Equal(1, AskAnew(Prompt()).Computed); // they were written again
    }

    [Fact]
    public void Runs_that_are_damaged_or_gone_are_misses_and_written_again()
    {
        Fill();
        foreach ((Action<string> damage, string expected) in new (Action<string>, string)[]
        {
            (name => _server.Objects[name].Bytes[^1] ^= 1, "wrong_payload_checksum"),
            (name => _server.Objects.TryRemove(name, out _), "gone"),
            (name => _server.Objects[name] = (_server.Objects[name].Bytes[..10], DateTimeOffset.UtcNow), "wrong_magic"),
            (name => _server.Objects[name] = (_server.Objects[name].Bytes[..^1], DateTimeOffset.UtcNow), "wrong_length"),
        })
        {
            Array.ForEach(_server.Names('v'), damage);
            CachedEngine.Answer answer = AskAnew(Prompt());
            Miss failed = answer.Use.Misses.First(miss => miss.Reason == MissReason.LoadFailed);
            Assert.Equal((Tier.Remote, expected), (failed.Tier!.Value, failed.Detail));
            Assert.True(answer.Computed > 1);
            Assert.Equal(1, AskAnew(Prompt()).Computed);
        }
    }

    [Fact]
    public void Use_renews_what_is_older_than_half_its_life()
    {
        Fill();
        DateTimeOffset old = DateTimeOffset.UtcNow.AddHours(-1);
        foreach (string name in _server.Objects.Keys)
            _server.Objects[name] = (_server.Objects[name].Bytes, old);
        AskAnew(Prompt());
        Assert.All(_server.Objects.Values, found => Assert.Equal(old, found.Changed)); // it was written just now, it says
        using (RemoteEngine third = Engine(time: new LaterClock(TimeSpan.FromHours(13))))
            third.Cached.Ask(Prompt());
        Assert.All("vef".SelectMany(_server.Names), name => Assert.NotEqual(old, _server.Objects[name].Changed));
    }

    [Fact]
    public void Pins_hold_against_evictions()
    {
        Fill();
        using RemoteEngine second = Engine();
        IReadOnlyList<BlockKey> keys = second.Cache.Keys(Prompt());
        second.Cached.Ask(Prompt());
        Assert.Equal(13, second.Tier.Pin([.. keys], "me", DateTimeOffset.UtcNow.AddHours(1)));
        Assert.Equal(1, second.Tier.Pin([keys[0]], "you", DateTimeOffset.UtcNow.AddHours(2)));
        Assert.Equal((0, 13), second.Tier.Evict([.. keys]));
        Assert.Equal(13, second.Tier.List(100).Count(block => block.IsPinned));
        Assert.Equal(13, second.Tier.Unpin("me"));
        Assert.Equal((12, 1), second.Tier.Evict([.. keys]));
        Assert.Equal(1, second.Tier.Unpin([keys[0]]));
        Assert.Equal((1, 0), second.Tier.Evict([.. keys]));
        Assert.All("vefp", kind => Assert.Empty(_server.Names(kind)));
    }

    [Fact]
    public void Lists_show_this_models_blocks()
    {
        Fill("", null, Prompt(), Prompt(5));
        using RemoteEngine second = Engine();
        IReadOnlyList<TierBlock> blocks = second.Tier.List(1000);
        Assert.Equal(second.Cache.Keys(Prompt()).Concat(second.Cache.Keys(Prompt(5))).Select(key => $"{key}").Order(),
            blocks.Select(block => $"{block.Key}").Order());
        Assert.Equal(Prompt()[..16], blocks.Single(block => block.Key == second.Cache.Keys(Prompt())[0]).Tokens);
        Assert.Null(second.Tier.Describe(second.Cache.Keys(Prompt(9))[0]));
        Assert.NotEmpty(second.Tier.List(3));
    }

    [Fact]
    public void Other_salts_prefixes_and_keys_find_nothing()
    {
        byte[] key = new byte[32];
        Fill(key: key);
        using RemoteEngine same = Engine(key: key);
        Assert.Equal(0, same.Cached.Ask(Prompt(), salt: "somebody else").Use.Remote);
        Assert.Equal(202, same.Cached.Ask(Prompt()).Use.Remote);
        using RemoteEngine clear = Engine(), elsewhere = Engine("/other", key), otherKey = Engine(key: [.. key.Select(_ => (byte)1)]);
        Assert.All((RemoteEngine[])[clear, elsewhere, otherKey], engine => Assert.Equal(0, engine.Cached.Ask(Prompt()).Use.Remote));
    }
}
