using System.Text;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.RemoteTiers.Values;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>With a key, whoever owns the store can neither read what is in it, nor guess, change or exchange it.</summary>
public sealed class SealTests : IDisposable
{
    const string Content = "what somebody said";

    readonly Seal _seal = new([.. Enumerable.Range(0, 32).Select(i => (byte)i)]), _other = new(new byte[32]);

    public void Dispose()
    {
        _seal.Dispose();
        _other.Dispose();
    }

    byte[] Sealed(string name)
    {
        byte[] value = [.. new byte[Seal.Overhead], .. Encoding.UTF8.GetBytes(Content)];
        _seal.Close(name, value);
        return value;
    }

    static BlockKey Key(int number) => KeyChain.Next(KeyChain.Root(default, []), [number]);

    [Fact]
    public void What_was_sealed_is_opened_and_cannot_be_read_before()
    {
        byte[] value = Sealed("name");
        Assert.DoesNotContain("somebody", Encoding.Latin1.GetString(value), StringComparison.Ordinal);
        Assert.NotEqual(value, Sealed("name")); // a nonce of its own
        Assert.Equal(ReadOutcome.Ok, _seal.Open("name", value));
        Assert.Equal(Content, Encoding.UTF8.GetString(value.AsSpan(Seal.Overhead)));
    }

    [Fact]
    public void A_value_copied_under_another_key_is_a_miss_a_thousand_times()
    {
        StoreNames names = new("kvasir:1:prefix", ':', _seal.NameKey);
        for (int number = 0; number < 1000; number++)
        {
            byte[] value = Sealed(names.Group(Run(number), 0));
            string other = (number % 3) switch
            {
                0 => names.Group(Run(number + 1), 0),
                1 => names.Group(Run(number), 1),
                _ => new StoreNames("kvasir:1:other", ':', _seal.NameKey).Group(Run(number), 0),
            };
            Assert.NotEqual(ReadOutcome.Ok, _seal.Open(other, value));
        }
    }

    static StoredRun Run(int number) => new(Key(number), 1);

    [Fact]
    public void Every_flipped_byte_and_every_torn_value_is_a_miss()
    {
        int length = Sealed("name").Length;
        for (int at = 0; at < length; at++)
        {
            byte[] value = Sealed("name");
            value[at] ^= 1;
            Assert.NotEqual(ReadOutcome.Ok, _seal.Open("name", value));
            Assert.NotEqual(ReadOutcome.Ok, _seal.Open("name", Sealed("name").AsSpan(0, at)));
        }
        Assert.Equal(ReadOutcome.WrongMagic, _seal.Open("name", Encoding.UTF8.GetBytes(Content + Content + Content)));
        Assert.Equal(ReadOutcome.WrongPayloadChecksum, _other.Open("name", Sealed("name")));
    }

    [Fact]
    public void Names_tell_nothing_without_the_key()
    {
        StoreNames clear = new("kvasir:1:p", ':', null), mine = new("kvasir:1:p", ':', _seal.NameKey), others = new("kvasir:1:p", ':', _other.NameKey);
        Assert.Equal($"kvasir:1:p:b:{Key(1)}", clear.Block(Key(1)));
        Assert.DoesNotContain($"{Key(1)}", mine.Block(Key(1)), StringComparison.Ordinal);
        Assert.Equal(mine.Block(Key(1)), mine.Block(Key(1)));
        string[] names = [mine.Block(Key(1)), mine.Tail(Key(1)), mine.Pin(Key(1)), others.Block(Key(1)), mine.Block(Key(2))];
        Assert.Equal(names.Length, names.Select(name => name[^64..]).Distinct().Count());
        Assert.DoesNotContain("alice", mine.Owner("alice"), StringComparison.Ordinal);
    }
}
