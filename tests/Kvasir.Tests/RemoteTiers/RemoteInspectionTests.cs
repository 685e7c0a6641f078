using System.Runtime.InteropServices;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers;
using Kvasir.RemoteTiers.Settings;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;
using StackExchange.Redis;
using static Kvasir.Tests.Cli.KvasirProcess;
using static Kvasir.Tests.RemoteTiers.RemoteEngine;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>Whoever looks into a store without a model sees what is there, finds what is damaged, and keeps it in order.</summary>
public sealed class RemoteInspectionTests : IDisposable
{
    static readonly byte[] s_key = [.. Enumerable.Range(0, 32).Select(i => (byte)i)];

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly RedisServer _server = new();

    public void Dispose()
    {
        _server.Dispose();
        _model.Dispose();
    }

    static CancellationToken Over => TestContext.Current.CancellationToken;

    RemoteInspection Inspect(string query = "", byte[]? key = null) =>
        RemoteInspection.Open(new RemoteTierOptions { Address = RemoteAddress.Parse(_server.Address + query), EncryptionKey = key });

    void Fill(string query = "", byte[]? key = null)
    {
        using RemoteEngine engine = new(_model, _server.Address + query, key: key);
        engine.Filled(Prompt());
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void What_is_there_is_seen_without_a_model(bool isSealed)
    {
        byte[]? key = isSealed ? s_key : null;
        Fill(key: key);
        using RemoteInspection inspection = Inspect(key: key);
        InspectedModel model = Assert.Single(inspection.Models());
        Assert.Equal((13, Prompt().Length), (model.Blocks, model.Tokens));
        Assert.Equal("saga", model.Name);
        IReadOnlyList<InspectedBlock> blocks = inspection.Blocks();
        BlockRun<InspectedBlock> run = Assert.Single(BlockRuns.Of(blocks));
        Assert.Equal(Prompt(), run.Blocks.SelectMany(block => block.Tokens));
        Assert.Equal([KeyValuePair.Create(ReadOutcome.Ok, 13)], inspection.Verify(cancellation: Over));
    }

    [Fact]
    public void Another_installation_and_who_lacks_the_key_see_nothing()
    {
        Fill();
        Fill("?prefix=secret", s_key);
        using RemoteInspection other = Inspect("?prefix=other"), keyless = Inspect("?prefix=secret");
        Assert.Empty(other.Models());
        Assert.Empty(keyless.Models());
        Assert.Empty(keyless.Blocks());
        Assert.Equal(0, keyless.Clear());
        using RemoteInspection own = Inspect("?prefix=secret", s_key);
        Assert.Equal(13, own.Blocks().Count);
    }

    [Fact]
    public void Damage_is_found_and_forgotten_and_what_is_left_stays()
    {
        Fill();
        string value = _server.Names("*:v:*").Order(StringComparer.Ordinal).First();
        _server.Ask((database, _) =>
        {
            byte[] bytes = database.StringGet(value)!;
            bytes[^1] ^= 1; // of the run's last block
            return database.StringSet(value, bytes, TimeSpan.FromHours(1));
        });
        using RemoteInspection inspection = Inspect();
        IReadOnlyDictionary<ReadOutcome, int> outcomes = inspection.Verify(cancellation: Over);
        Assert.Equal(1, outcomes[ReadOutcome.WrongPayloadChecksum]);
        Assert.Equal(12, outcomes[ReadOutcome.Ok]);
        Assert.Equal([KeyValuePair.Create(ReadOutcome.Ok, 12)], inspection.Verify(cancellation: Over));
    }

    [Fact]
    public void Entries_that_lead_nowhere_are_collected()
    {
        Fill();
        using RemoteInspection inspection = Inspect();
        Assert.Equal((0, 0), inspection.Collect());
        string[] values = _server.Names("*:v:*");
        _server.Ask((database, _) => database.KeyDelete([.. values.Select(name => (RedisKey)name)]));
        Assert.Equal((13, 0), inspection.Collect());
        Assert.Empty(_server.Names("*:b:*"));
        Assert.Equal((0, 0), inspection.Collect());
    }

    [Fact]
    public void Pins_are_seen_and_let_go_and_all_can_be_cleared()
    {
        Fill();
        using RemoteEngine engine = new(_model, _server.Address);
        engine.Connected();
        IReadOnlyList<BlockKey> keys = engine.Cache.Keys(Prompt());
        Assert.Equal(13, engine.Tier.Pin(keys, "docs", DateTimeOffset.UtcNow + TimeSpan.FromDays(3)));
        using RemoteInspection inspection = Inspect();
        Assert.All(inspection.Blocks(), block => Assert.Equal("docs", block.PinnedBy));
        Assert.Equal(0, inspection.Unpin("nobody"));
        Assert.Equal(13, inspection.Unpin("docs"));
        Assert.All(inspection.Blocks(), block => Assert.Null(block.PinnedBy));
        Assert.Equal(0, inspection.Clear(new Fingerprint(default)));
        Assert.Equal(13, inspection.Clear());
        Assert.Empty(_server.Names());
    }

    [Fact]
    public void A_bucket_is_seen_checked_and_rid_of_what_nobody_has_used_for_long_and_nobody_keeps()
    {
        using S3Server bucket = new();
        int[] third = [.. Prompt(3).Reverse()]; // no part of which is in the others
        RemoteTierOptions options = new()
        {
            Address = RemoteAddress.Parse(bucket.Address()), Password = $"{S3Server.Access}:{S3Server.Secret}",
        };
        using (RemoteEngine engine = new RemoteEngine(_model, bucket.Address(), options.Password).Connected())
        {
            engine.Filled(Prompt(1)).Filled(Prompt(2)).Filled(third);
            engine.Tier.Pin(engine.Cache.Keys(Prompt(1)), "docs", DateTimeOffset.UtcNow + TimeSpan.FromDays(30));
        }
        using RemoteInspection inspection = RemoteInspection.Open(options);
        Assert.Equal([KeyValuePair.Create(ReadOutcome.Ok, 39)], inspection.Verify(cancellation: Over));
        Assert.Equal((0, 0), inspection.Collect());
        int values = bucket.Names('v').Length;
        foreach (string entry in bucket.Names('e').Concat(bucket.Names('f')).Where(name => LeadsTo(bucket.Objects[name].Bytes, third)))
            Assert.True(bucket.Objects.TryRemove(entry, out _)); // nothing leads to the third
        Assert.Equal((0, 0), inspection.Collect()); // it may be one that is just being written
        using (RemoteInspection later = RemoteInspection.Open(options with { Time = new LaterClock(TimeSpan.FromDays(2)) }))
        {
            (int Blocks, int Values) = later.Collect();
            Assert.Equal(13, Blocks);
            Assert.InRange(Values, 1, values - 2);
        }
        Assert.Equal(Prompt(1), Assert.Single(BlockRuns.Of(inspection.Blocks())).Blocks.SelectMany(block => block.Tokens));
        Assert.Equal(13, inspection.Clear());
        Assert.Empty(bucket.Names('v'));
        Assert.Empty(bucket.Names('e'));
        Assert.Empty(bucket.Names('p'));
    }

    /// <summary>Whether an entry of a run has a block of a prompt.</summary>
    static bool LeadsTo(byte[] entry, int[] prompt) => prompt.Chunk(16)
        .Any(block => entry.AsSpan().IndexOf(MemoryMarshal.AsBytes(block.AsSpan())) >= 0);

    [Fact]
    public void Blocks_of_all_models_are_let_go_and_live_as_long_as_others_then()
    {
        Assert.True(KvCodecs.TryParse("q8_0", out IKvCodec? codec));
        EngineOptions other = new() { Context = 512, KvHostBytes = 1 << 20, KvHostCodec = codec }; // another fingerprint
        foreach (EngineOptions? options in (EngineOptions?[])[null, other])
        {
            using RemoteEngine engine = new(_model, _server.Address + "?ttl=100s", options: options);
            engine.Filled(Prompt());
            Assert.Equal(13, engine.Tier.Pin(engine.Cache.Keys(Prompt()), "docs", DateTimeOffset.UtcNow + TimeSpan.FromDays(3)));
        }
        using RemoteInspection inspection = Inspect("?ttl=100s");
        Assert.Equal(2, inspection.Models().Count);
        Assert.Equal(26, inspection.Unpin("docs"));
        Assert.Empty(_server.Names("*:[po]:*"));
        Assert.All(_server.Names("*:v:*"), name =>
            Assert.InRange(_server.Ask((database, _) => database.KeyTimeToLive(name)!.Value.TotalSeconds), 1, 100));
    }

    [Fact]
    public void A_store_may_say_anything_of_its_models()
    {
        Fill();
        string card = Assert.Single(_server.Names("*:m:*"));
        string whole = _server.Ask((database, _) => (string)database.StringGet(card)!);
        foreach (string other in (string[])["", "{", "null", "[]", "{}", whole[..^1], whole.Replace("\"block_tokens\":", "\"block_tokens\":-"),
            whole.Replace("\"groups\":[", "\"groups\":[null,"), whole.Replace("\"name\":\"saga\"", "\"name\":null")])
        {
            _server.Ask((database, _) => database.StringSet(card, other));
            using RemoteInspection inspection = Inspect();
            Assert.Empty(inspection.Models());
        }
    }

    [Fact]
    public void The_verbs_know_the_store()
    {
        using TemporaryFolder folder = new();
        string[] place = ["--kv-dir", folder["kv"], "--kv-remote", _server.Address];
        string text = string.Join(' ', Enumerable.Repeat("Jorunn keeps the bowl on the shelf.", 20));
        Assert.Contains("in the store", Run(["kv", "warm", "--to", "remote", "--raw", text, .. place]).Succeeds().Answer, StringComparison.Ordinal);
        Assert.Contains("saga", Run(["kv", "stat", .. place]).Succeeds().Answer.Split(_server.Address)[1], StringComparison.Ordinal);
        Assert.Contains("saga", Run(["kv", "ls", "--tier", "remote", .. place]).Succeeds().Answer, StringComparison.Ordinal);
        Assert.Contains("· remote ·", Run(["kv", "tree", "--tier", "remote", .. place]).Succeeds().Answer, StringComparison.Ordinal);
        Assert.Contains(" 0 were not", Run(["kv", "verify", "--tier", "remote", .. place]).Succeeds().Answer, StringComparison.Ordinal);
        Assert.Contains("0 blocks", Run(["kv", "gc", "--tier", "remote", .. place]).Succeeds().Answer, StringComparison.Ordinal);
        Run(["kv", "clear", "--all", "--tier", "remote", .. place]).Succeeds();
        Assert.Empty(_server.Names());
        Assert.DoesNotContain("nothing", Run(["kv", "stat", .. place]).Succeeds().Errors, StringComparison.Ordinal); // the disk's are still there
    }

    [Theory]
    [InlineData("--kv-remote URL", "kv", "ls", "--tier", "remote")]
    [InlineData("--kv-remote URL", "kv", "warm", "--to", "remote", "hi")]
    [InlineData("--kv-disk", "kv", "gc", "--tier", "remote", "--kv-remote", "redis://localhost", "--kv-disk", "1GiB")]
    [InlineData("host", "kv", "ls", "--tier", "host")]
    public void What_makes_no_sense_is_a_line(string expected, params string[] command) => Run(command).Fails(2, expected);

    [Fact]
    public void A_store_that_does_not_answer_is_named()
    {
        _server.Kill();
        Run("kv", "verify", "--tier", "remote", "--kv-remote", _server.Address).Fails(1, _server.Address);
    }
}
