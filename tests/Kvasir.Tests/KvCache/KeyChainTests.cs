using Kvasir.KvCache.Prefixes;

namespace Kvasir.Tests.KvCache;

/// <summary>
/// Keys name blocks on disks and on other machines: these vectors, computed with another language's SHA-256, must never change.
/// </summary>
public class KeyChainTests
{
    static readonly Fingerprint s_fingerprint = new(new Digest([.. Enumerable.Range(0, 32).Select(i => (byte)i)]));

    static readonly int[] s_tokens = [.. Enumerable.Range(0, 16)];

    [Fact]
    public void Golden_keys()
    {
        BlockKey root = KeyChain.Root(s_fingerprint, []), first = KeyChain.Next(root, s_tokens);
        Assert.Equal("a9969efe66bf8e16e89c9e216142ded6ac6f33d3422c1dcc7164aac26a0a22ba", root.ToString());
        Assert.Equal("0faa916dcfd06c7fcc2230733e90389879c7ccc97db3dfa4f8f92e84eccf2885", first.ToString());
        Assert.Equal("49e5080103a870e55dfe3c3fadd4414827e6a7056c0555ed1871b7ebcbdd4166", KeyChain.Next(first, [100, 200, 300]).ToString());
        Assert.Equal("7f98878efce9c0cd791ae1c4078f4244252db11254436007d78dd73a318148e7",
            KeyChain.Next(root, [.. Enumerable.Range(0, 100)]).ToString());
    }

    [Fact]
    public void Golden_keys_under_a_salt()
    {
        BlockKey root = KeyChain.Root(s_fingerprint, "org_1"u8);
        Assert.Equal("93a917c1e412a20b34c1a4753c04868cd764b0b74c3737dc42b02e7947119fa3", root.ToString());
        Assert.Equal("9fdc7a372bf7f55aab6deed5121b5f9db36ec46a1db4e4c8d9b7f525c027a516", KeyChain.Next(root, s_tokens).ToString());
    }

    [Fact]
    public void Fields_have_borders()
    {
        using var hasher = new FieldHasher();
        Digest one = hasher.Add("org_1").Add("2345").Finish(), other = hasher.Add("org_12345").Add("").Finish();
        Assert.NotEqual(one, other);
    }

    [Fact]
    public void A_key_depends_on_every_token_before_it_and_on_the_length()
    {
        BlockKey root = KeyChain.Root(s_fingerprint, []), first = KeyChain.Next(root, s_tokens);
        for (int i = 0; i < s_tokens.Length; i++)
        {
            int[] changed = [.. s_tokens];
            changed[i] ^= 1 << 20;
            Assert.NotEqual(first, KeyChain.Next(root, changed));
        }
        Assert.NotEqual(first, KeyChain.Next(root, s_tokens.AsSpan(0, 15)));
        Assert.NotEqual(KeyChain.Next(first, s_tokens), first);
    }

    [Fact]
    public void A_digest_is_its_bytes()
    {
        byte[] bytes = [.. Enumerable.Range(7, 32).Select(i => (byte)(i * 5))];
        Assert.Equal(bytes, new Digest(bytes).ToArray());
        Assert.Equal(Convert.ToHexStringLower(bytes), new Digest(bytes).ToString());
        Assert.Throws<ArgumentException>(() => new Digest(bytes.AsSpan(1)));
    }
}
