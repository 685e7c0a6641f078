using System.Runtime.InteropServices;
using System.Text;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.RemoteTiers;
using Kvasir.RemoteTiers.Settings;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>Of two tenants of a store neither finds, times or decrypts what is the other's, and its owner reads nothing.</summary>
public sealed class TenantTests : IDisposable
{
    const int Attempts = 1000;
    const string Alice = "alice", Bob = "bob";
    const byte Clear = 0; // instead of an encryption key

    static readonly RemoteAddress s_address = RemoteAddress.Parse("redis://store");
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    readonly KvLayout _layout = new(4, F16Codec.Instance, [new KvLayer(new LayerState.Full(), 1, 8, 0)]);
    readonly Fingerprint _model = new(KeyChain.Next(default, [1]).Digest);
    readonly MemoryStore _store = new();
    readonly NativeBuffer _written, _read;

    public TenantTests()
    {
        (_written, _read) = (new((int)_layout.StrideBytes), new((int)_layout.StrideBytes));
        _read.Span.Clear();
        for (int i = 0; i < _layout.BlockBytes; i++)
            _written.Span[i] = (byte)(i + 1);
    }

    public void Dispose()
    {
        _written.Dispose();
        _read.Dispose();
    }

    RemoteTier Tier(byte key, MemoryStore? store = null) => new(
        new RemoteTierOptions { Address = s_address, EncryptionKey = Key(key), ModelName = "the model of a tenant" }, _layout, _model,
        store ?? _store);

    static byte[]? Key(byte key) => key == Clear ? null : [.. Enumerable.Repeat(key, 32)];

    /// <summary>Two full blocks and a part of a third, unlike those of any other number.</summary>
    static int[] Prompt(int number) => [.. Enumerable.Range(0, 11).Select(i => 1_000_000 + 11 * number + i)];

    BlockWrite[] Blocks(int number, string salt)
    {
        BlockKey parent = KeyChain.Root(_model, Encoding.UTF8.GetBytes(salt));
        List<BlockWrite> blocks = [];
        foreach (int[] tokens in Prompt(number).Chunk(_layout.BlockTokens))
        {
            blocks.Add(new BlockWrite(KeyChain.Next(parent, tokens), parent, tokens, _written.DangerousGetHandle()));
            parent = blocks[^1].Key;
        }
        return [.. blocks];
    }

    Task<TierFind> Find(RemoteTier tier, int number, string salt)
    {
        BlockWrite[] blocks = Blocks(number, salt);
        PrefixQuery query = new([.. blocks[..^1].Select(block => block.Key)], blocks[0].Parent, Prompt(number), _layout.BlockTokens);
        return tier.Find(query, TestContext.Current.CancellationToken).AsTask();
    }

    void Fill(RemoteTier tier, string salt, int prompts = Attempts)
    {
        for (int number = 0; number < prompts; number++)
            Assert.Equal(3, tier.Write(Blocks(number, salt)));
    }

    static void AssertNothing(TierFind find)
    {
        Assert.Equal(-1, find.LastPresent);
        Assert.Empty(find.Tails);
    }

    [Theory]
    [InlineData(Clear, Clear, Bob)]
    [InlineData(1, 1, Bob)]
    [InlineData(1, 2, Alice)]
    public async Task Who_has_another_salt_or_key_finds_nothing_and_asks_for_other_names(byte key, byte otherKey, string otherSalt)
    {
        using RemoteTier tier = Tier(key), other = key == otherKey ? tier : Tier(otherKey);
        Fill(tier, Alice);
        _store.TakeQuestions();
        for (int number = 0; number < Attempts; number++)
            AssertNothing(await Find(other, number, otherSalt));
        string[] asked = [.. _store.TakeQuestions().SelectMany(question => question.Names)];
        Assert.Equal(4 * Attempts + 1, asked.Distinct().Count()); // two blocks, and what follows each of them and the root
        Assert.Empty(asked.Intersect(_store.Names));
        Assert.Equal(1, (await Find(tier, 0, Alice)).LastPresent);
    }

    [Theory]
    [InlineData(Clear, Clear, Bob, ReadOutcome.WrongKey)]
    [InlineData(1, 1, Bob, ReadOutcome.WrongPayloadChecksum)]
    [InlineData(1, 2, Alice, ReadOutcome.WrongPayloadChecksum)] // both have the same conversations
    public async Task What_is_copied_under_anothers_name_is_a_miss(byte key, byte otherKey, string otherSalt, ReadOutcome expected)
    {
        MemoryStore source = new();
        using RemoteTier tier = Tier(key, source), other = Tier(otherKey);
        Fill(tier, Alice);
        Fill(other, otherSalt);
        for (int number = 0; number < Attempts; number++)
        {
            Copy(Value);
            Assert.Equal(1, (await Find(other, number, otherSalt)).LastPresent);
            Assert.All(Load(other, Blocks(number, otherSalt)), outcome => Assert.Equal(expected, outcome));

            Copy(Entries);
            AssertNothing(await Find(other, number, otherSalt));

            void Copy(Func<BlockWrite[], StoreNames, IEnumerable<string>> names)
            {
                IEnumerable<string> from = names(Blocks(number, Alice), Names(key)), to = names(Blocks(number, otherSalt), Names(otherKey));
                foreach ((string theirs, string mine) in from.Zip(to))
                    _store.Set(mine, source.Copy(theirs));
            }
        }
        Assert.Equal(3 * Attempts, other.Counted(CounterName.Corrupt(expected.Name())));
        Assert.False(((ReadOnlySpan<byte>)_read.Span).ContainsAnyExcept((byte)0)); // not a byte came through
    }

    static StoreNames Names(byte key)
    {
        using Seal? seal = Key(key) is { } bytes ? new Seal(bytes) : null;
        return StoreNames.In(s_address, seal?.NameKey);
    }

    static IEnumerable<string> Value(BlockWrite[] run, StoreNames names) => [names.Group(new StoredRun(run[^1].Key, run.Length), 0)];

    static IEnumerable<string> Entries(BlockWrite[] run, StoreNames names) =>
        run.SelectMany(block => (string[])[names.Block(block.Key), names.Tail(block.Parent)]);

    unsafe ReadOutcome[] Load(RemoteTier tier, BlockWrite[] blocks)
    {
        BlockLoad load = new(global::Kvasir.KvCache.Blocks.Tier.Remote, LayerGroup.Of(_layout, 1));
        LoadedBlock[] loaded = [.. blocks.Select(block => new LoadedBlock(block.Key, block.Parent, block.Tokens, 0, (byte*)_read.Address))];
        load.Begin(loaded);
        tier.Load(load);
        Assert.True(load.Wait(0, s_patience));
        return [.. loaded.Select(block => block.Outcome)];
    }

    [Theory]
    [InlineData(Clear, Clear, Bob)]
    [InlineData(1, 1, Bob)]
    [InlineData(1, 2, Alice)]
    public async Task Whether_another_has_a_prompt_makes_no_difference_on_the_wire(byte key, byte otherKey, string otherSalt)
    {
        using RemoteTier tier = Tier(key), other = key == otherKey ? tier : Tier(otherKey);
        Fill(tier, Alice);
        other.Write(Blocks(0, "carol")); // with the first comes the model's card
        _store.TakeQuestions();
        HashSet<string> lookups = [], writes = [];
        for (int number = 0; number < 2 * Attempts; number++) // one half is the other's, one nobody's
        {
            AssertNothing(await Find(other, number, otherSalt));
            lookups.Add(Shape(_store.TakeQuestions()));
        }
        for (int number = 0; number < 2 * Attempts; number++)
        {
            Assert.Equal(3, other.Write(Blocks(number, otherSalt)));
            writes.Add(Shape(_store.TakeQuestions()));
        }
        Assert.Single(lookups);
        Assert.Single(writes);
    }

    /// <summary>All that the clock could tell: how often something was asked, how much, and how much came.</summary>
    static string Shape(MemoryStore.Question[] questions) => string.Join(", ", questions.Select(question =>
        $"{question.Names.Count} names of {question.Names.Sum(name => name.Length)}, {question.Written} there, {question.Read} back"));

    [Fact]
    public void Whoever_owns_the_store_reads_nothing_without_the_key()
    {
        const int prompts = 100;
        MemoryStore clear = new();
        using (RemoteTier open = Tier(Clear, clear), sealing = Tier(1))
        {
            Fill(open, Alice, prompts);
            Fill(sealing, Alice, prompts);
        }
        Assert.Equal(clear.Names.Length, _store.Names.Length);
        byte[] seen = Seen(clear), closed = Seen(_store);
        Assert.Equal(-1, closed.AsSpan().IndexOf("the model"u8));
        Assert.Equal(-1, closed.AsSpan().IndexOf(_written.Span[..16]));
        for (int number = 0; number < prompts; number++)
            foreach (byte[] secret in Secrets(number))
            {
                Assert.NotEqual(-1, seen.AsSpan().IndexOf(secret)); // or it would be no wonder
                Assert.Equal(-1, closed.AsSpan().IndexOf(secret));
            }
    }

    /// <summary>Two tokens of a prompt each, and names of its blocks.</summary>
    IEnumerable<byte[]> Secrets(int number)
    {
        foreach (BlockWrite block in Blocks(number, Alice))
        {
            yield return MemoryMarshal.AsBytes(block.Tokens.AsSpan(0, 2)).ToArray();
            yield return Encoding.UTF8.GetBytes($"{block.Key}");
        }
    }

    /// <summary>All names and values.</summary>
    static byte[] Seen(MemoryStore store) => [.. store.Names.SelectMany(name => Encoding.UTF8.GetBytes(name).Concat(store.Copy(name)))];
}
