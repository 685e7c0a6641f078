using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.KvCache.Disk;

/// <summary>A directory, and blocks whose bytes follow from their number.</summary>
sealed unsafe class DiskFixture : IDisposable
{
    /// <summary>Small blocks, one page and a bit.</summary>
    public static KvLayout Small { get; } = Layout(2, 2, 16);

    /// <summary>Blocks of several groups of layers.</summary>
    public static KvLayout Large { get; } = Layout(6, 8, 256);

    public static Fingerprint Model { get; } = new(KeyChain.Next(default, [1]).Digest);

    public static BlockKey Root { get; } = KeyChain.Root(Model, []);

    public TemporaryFolder Folder { get; } = new();

    public string Path => Folder["kv"];

    public static KvLayout Layout(int layers, int heads, int dim) =>
        new(16, F16Codec.Instance, Enumerable.Range(0, layers).Select(layer => new KvLayer(new LayerState.Full(), heads, dim, layer)));

    public static long SlotBytes(KvLayout layout) => 4096 + layout.StrideBytes;

    public DiskTierOptions Options(long maxBytes = 64 << 20) => new() { Folder = Path, MaxBytes = maxBytes, KeepFreeBytes = 0 };

    public DiskTier Open(DiskTierOptions? options = null, KvLayout? layout = null, Fingerprint? model = null) =>
        DiskTier.Open(options ?? Options(), layout ?? Small, model ?? Model, "test");

    /// <summary>Tokens of block <paramref name="n"/>: the chain of n has blocks 0 to n.</summary>
    public static int[] Tokens(int n) => [.. Enumerable.Range(n * 100, 16)];

    public static BlockKey Key(int n) => n < 0 ? Root : KeyChain.Next(new BlockKey(KeyChain.Next(default, [n]).Digest), Tokens(n));

    public static BlockKey Parent(int n) => Key(n - 1);

    /// <summary>Writes blocks; returns how many the tier says it has written.</summary>
    public static int Write(DiskTier tier, KvLayout layout, params ReadOnlySpan<int> blocks)
    {
        using var memory = new NativeBuffer((int)layout.StrideBytes * blocks.Length);
        List<BlockWrite> writes = [];
        for (int i = 0; i < blocks.Length; i++)
        {
            byte* payload = memory.Address + i * layout.StrideBytes;
            new Span<byte>(payload, (int)layout.BlockBytes).Clear();
            Fill(new Span<byte>(payload, (int)layout.BlockBytes), blocks[i]);
            writes.Add(new BlockWrite(Key(blocks[i]), Parent(blocks[i]), Tokens(blocks[i]), (nint)payload));
        }
        return tier.Write(System.Runtime.InteropServices.CollectionsMarshal.AsSpan(writes));
    }

    /// <summary>Reads a block; bytes that are called good must be the block's.</summary>
    public static ReadOutcome Read(DiskTier tier, KvLayout layout, int block)
    {
        if (!tier.TryFind(Key(block), out int slot))
            return ReadOutcome.Gone;
        using var memory = new NativeBuffer((int)layout.StrideBytes);
        for (int group = 0; group < LayerGroup.Of(layout, DiskTier.LeastGroupBytes).Length; group++)
            if (tier.Read(slot, Key(block), Parent(block), Tokens(block), group, memory.Address) is var outcome and not ReadOutcome.Ok)
                return outcome;
        byte[] expected = new byte[layout.BlockBytes];
        Fill(expected, block);
        Assert.True(memory.Span[..expected.Length].SequenceEqual(expected), $"block {block} came with wrong bytes");
        return ReadOutcome.Ok;
    }

    public string[] Segments() => [.. Directory.GetFiles(Path, "blocks-*.kv").Order()];

    public void Dispose() => Folder.Dispose();

    static void Fill(Span<byte> bytes, int block) => new Random(block).NextBytes(bytes);
}
