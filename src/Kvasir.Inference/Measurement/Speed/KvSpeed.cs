using System.Diagnostics;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Inference.Measurement.Speed;

/// <summary>One request, timed.</summary>
/// <param name="Seconds">Until the logits of the last token.</param>
/// <param name="Computed">Tokens computed.</param>
/// <param name="Use">What the cache did.</param>
public readonly record struct KvRequest(double Seconds, int Computed, CacheUse Use);

/// <summary>Times what an engine's cache does for prompts that mean nothing.</summary>
public sealed class KvSpeed(InferenceEngine engine)
{
    /// <summary>A prompt; another seed gives another from the first token on.</summary>
    public int[] Prompt(int tokens, int seed) =>
        [.. Enumerable.Range(0, tokens).Select(i => (int)((i * 7919L + seed * 104729L + i / 16 * 31) % engine.Model.Config.Vocabulary))];

    /// <summary>Computes a prompt, with all that the cache has of it.</summary>
    public KvRequest Ask(int[] prompt, CancellationToken cancellation)
    {
        using Sequence sequence = engine.NewSequence();
        sequence.Append(prompt);
        return Ask(sequence, cancellation);
    }

    /// <summary>Brings a prompt's blocks into the pool and computes nothing meanwhile, which would take its share of the memory.</summary>
    public CacheUse Restore(int[] prompt)
    {
        using Sequence sequence = engine.NewSequence();
        sequence.Append(prompt);
        sequence.Blocks.BeginRequest(prompt.Length);
        sequence.Blocks.Match(sequence.Tokens);
        sequence.Blocks.WaitForAll();
        sequence.Blocks.Forget(); // nothing was computed that could be left
        return sequence.Blocks.Use;
    }

    /// <summary>Waits until what is to be written to the disk is.</summary>
    public void Flush() => engine.Cache.Flush(TimeSpan.FromMinutes(1));

    /// <summary>
    /// Writes to all memory of device and host once, and empties them: a system, above all a virtual one, takes longer to give
    /// memory than the cache to fill it.
    /// </summary>
    public void TouchMemory()
    {
        foreach (BlockPool pool in (BlockPool[])[engine.Cache.Device, .. engine.Cache.Tiers.OfType<HostTier>().Select(host => host.Pool)])
        {
            List<MutableBlock> blocks = [];
            while (pool.TryAllocate() is { } block)
            {
                pool.Bytes(block).Clear();
                blocks.Add(block);
            }
            blocks.ForEach(block => block.Dispose());
        }
    }

    /// <summary>Drops a prompt's blocks from the pool, and from the host if asked to.</summary>
    public void Drop(int[] prompt, bool host, Func<int, bool>? choose = null)
    {
        Flush();
        BlockKey[] keys = [.. engine.Cache.Keys(prompt).Where((_, block) => choose?.Invoke(block) != false)];
        engine.Cache.Evict(keys, Tier.Device);
        if (host)
            engine.Cache.Evict(keys, Tier.Host);
    }

    /// <summary>Takes blocks off the disk, too.</summary>
    public void DropFromDisk(int[] prompt, Func<int, bool> choose)
    {
        foreach (DiskTier disk in engine.Cache.Tiers.OfType<DiskTier>())
            foreach ((int block, BlockKey key) in engine.Cache.Keys(prompt).Index())
                if (choose(block) && disk.TryFind(key, out int slot))
                    disk.Discard(slot, key, ReadOutcome.Gone);
    }

    /// <summary>Seconds to find out where a prompt's blocks are, keys computed anew.</summary>
    public double Lookup(int[] prompt)
    {
        long start = Stopwatch.GetTimestamp();
        PrefixLookup lookup = engine.Cache.Lookup(prompt).GetAwaiter().GetResult();
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        return lookup.TokensIn(Tier.Device) + lookup.TokensIn(Tier.Host) + lookup.TokensIn(Tier.Disk)
            + lookup.TokensIn(Tier.Remote) >= prompt.Length - 1
            ? seconds
            : throw new InvalidOperationException("the prompt is not in the cache, so this was no lookup of cached tokens");
    }

    /// <summary>
    /// Seconds to decode tokens one by one after a prompt, while its blocks are written to the disk or, having been written, are not.
    /// </summary>
    public double Decode(int[] prompt, int tokens, bool whileWriting, CancellationToken cancellation)
    {
        using Sequence sequence = engine.NewSequence();
        sequence.Append(prompt);
        Ask(sequence, cancellation);
        if (!whileWriting)
            Flush();
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < tokens; i++)
        {
            sequence.Append([i % engine.Model.Config.Vocabulary]);
            engine.Forward(sequence, progress: null, cancellation);
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    KvRequest Ask(Sequence sequence, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp(), before = sequence.Computed;
        sequence.Blocks.BeginRequest(sequence.Tokens.Length);
        sequence.Blocks.Match(sequence.Tokens);
        if (engine.Forward(sequence, progress: null, cancellation).IsEmpty)
            throw new OperationCanceledException(cancellation);
        double seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        sequence.Blocks.EndRequest();
        return new KvRequest(seconds, (int)(sequence.Computed - before), sequence.Blocks.Use);
    }
}
