using System.Runtime.InteropServices;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>An engine with tiers, and the questions that tests of reuse ask it.</summary>
sealed class CachedEngine : IDisposable
{
    /// <param name="model">The model.</param>
    /// <param name="options">Its tiers.</param>
    /// <param name="learns">Whether the engine compares loading with computing as it would; if not, computing counts as slow, so that what
    /// is found is loaded, however busy the machine.</param>
    public CachedEngine(LanguageModel model, EngineOptions options, bool learns = false)
    {
        Engine = new InferenceEngine(model, options);
        if (!learns)
            Cache.Costs.Computed(1, TimeSpan.FromSeconds(10));
        Cache.Costs.IsFrozen = !learns;
    }

    public InferenceEngine Engine { get; }

    public TieredKvCache Cache => Engine.Cache;

    public static EngineOptions WithDisk(string folder) => new() { Context = 512, KvDisk = Disk(folder) };

    public static DiskTierOptions Disk(string folder) => new() { Folder = folder, MaxBytes = 64 << 20, KeepFreeBytes = 0 };

    /// <summary>Computes a prompt with all that the cache has of it.</summary>
    public Answer Ask(int[] prompt, string salt = "", bool leave = true)
    {
        using Sequence sequence = Engine.NewSequence(System.Text.Encoding.UTF8.GetBytes(salt));
        sequence.Append(prompt);
        sequence.Blocks.BeginRequest(prompt.Length);
        sequence.Blocks.Match(sequence.Tokens);
        float[] logits = Engine.Forward(sequence, progress: null, CancellationToken.None).ToArray();
        sequence.Blocks.EndRequest();
        byte[][] blocks = [.. Enumerable.Range(0, prompt.Length / Engine.Layout.BlockTokens)
            .Select(block => BytesOf(sequence.Blocks.Table[block]))];
        if (!leave)
            sequence.Blocks.Table.Clear();
        return new Answer(logits, blocks, (int)sequence.Computed, sequence.Blocks.Use);
    }

    /// <summary>A block's bytes, wherever its pool lies.</summary>
    unsafe byte[] BytesOf(BlockHandle block)
    {
        using NativeBuffer copy = new((int)Cache.Layout.StrideBytes);
        Cache.Device.Arena.Read(block.Id, 0, copy.Address, Cache.Layout.BlockBytes);
        return copy.Span[..(int)Cache.Layout.BlockBytes].ToArray();
    }

    /// <summary>Evicts the blocks of a prompt that are chosen, tail included, from the pool and the host.</summary>
    public void Drop(int[] prompt, Func<int, bool> choose, bool deviceOnly = false)
    {
        Flush(); // or what is still to be copied to the host would be lost
        foreach ((int block, BlockKey key) in Cache.Keys(prompt).Index())
            if (choose(block))
            {
                Cache.Device.TryDrop(key);
                if (!deviceOnly)
                    Cache.Host?.TryDrop(key);
            }
    }

    public void Flush() => Assert.True(Cache.Flush(TimeSpan.FromSeconds(20)));

    public void Dispose()
    {
        Engine.AssertNothingLeased();
        Engine.Dispose();
    }

    /// <summary>What was computed, with how much of it found.</summary>
    /// <param name="Logits">After the last token.</param>
    /// <param name="Blocks">Bytes of the full blocks.</param>
    /// <param name="Computed">Tokens computed.</param>
    /// <param name="Use">What the cache says it did.</param>
    public sealed record Answer(float[] Logits, byte[][] Blocks, int Computed, CacheUse Use)
    {
        /// <summary>Same logits and same keys and values, bit for bit.</summary>
        public void AssertSameBits(Answer expected, string how)
        {
            Assert.True(MemoryMarshal.AsBytes<float>(Logits).SequenceEqual(MemoryMarshal.AsBytes<float>(expected.Logits)),
                $"logits differ: {how}");
            Assert.Equal(expected.Blocks.Length, Blocks.Length);
            for (int block = 0; block < Blocks.Length; block++)
                Assert.True(Blocks[block].AsSpan().SequenceEqual(expected.Blocks[block]), $"block {block} differs: {how}");
        }
    }
}
