using System.Collections.Concurrent;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Tests.KvCache.Tiers;

/// <summary>A shared store as a test wants it: blocks in a dictionary, whose lookups may hang and whose loads may fail.</summary>
sealed class FakeTier(KvLayout layout) : ITier
{
    readonly ConcurrentDictionary<BlockKey, (BlockKey Parent, int[] Tokens, byte[] Payload)> _blocks = new();

    /// <summary>What lookups wait for; null for nothing.</summary>
    public Task? Hangs { get; set; }

    /// <summary>How long lookups and loads take.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>What becomes of every load.</summary>
    public ReadOutcome Outcome { get; set; }

    /// <summary>Lookups that were begun.</summary>
    public int Lookups;

    public int Count => _blocks.Count;

    public bool IsDisposed { get; private set; }

    public Tier Tier => Tier.Remote;

    public bool IsLossless => true;

    public bool IsFar { get; set; }

    public bool CanWrite => true;

    public Admission Admission => Admission.EndOfRequest;

    public string? Problem { get; set; }

    public TierContent Content() => new(1 << 20, _blocks.Count * layout.StrideBytes, 1000, _blocks.Count, 0, 0, 0);

    public async ValueTask<TierFind> Find(PrefixQuery query, CancellationToken cancellation)
    {
        Interlocked.Increment(ref Lookups);
        if (Hangs is { } hangs)
            await hangs.WaitAsync(cancellation);
        if (Delay > TimeSpan.Zero)
            await Task.Delay(Delay, cancellation);
        return new TierFind([.. query.Keys.ToArray().Select(key => _blocks.ContainsKey(key) ? 7L : TierFind.Absent)], []);
    }

    public void Load(BlockLoad load) => Task.Run(async () =>
    {
        await Task.Delay(Delay);
        Bring(load);
    });

    unsafe void Bring(BlockLoad load)
    {
        while (load.TryClaim(out LoadedBlock block, out int group))
        {
            LayerGroup part = load.Groups[group];
            if (Outcome != ReadOutcome.Ok || block.Place != 7 || !_blocks.TryGetValue(block.Key, out var stored))
                load.Fail(block, Outcome == ReadOutcome.Ok ? ReadOutcome.Gone : Outcome);
            else
                stored.Payload.AsSpan((int)part.Offset, (int)part.Bytes)
                    .CopyTo(new Span<byte>(block.Destination + part.Offset, (int)part.Bytes));
            load.Done(block, group);
        }
    }

    public unsafe int Write(ReadOnlySpan<BlockWrite> blocks)
    {
        foreach (BlockWrite block in blocks)
            _blocks[block.Key] =
                (block.Parent, block.Tokens, new ReadOnlySpan<byte>((void*)block.Payload, (int)layout.BlockBytes).ToArray());
        return blocks.Length;
    }

    public bool Contains(BlockKey key) => _blocks.ContainsKey(key);

    public void Touch(BlockKey key) { }

    public TierLease? TryRead(BlockKey key) => null;

    public (int Evicted, int Kept) Evict(IReadOnlyCollection<BlockKey> keys) => (keys.Count(key => _blocks.TryRemove(key, out _)), 0);

    public IReadOnlyList<TierBlock> List(int most) =>
        [.. _blocks.Take(most).Select(block => new TierBlock(block.Key, block.Value.Parent, block.Value.Tokens))];

    public TierBlock? Describe(BlockKey key) => _blocks.TryGetValue(key, out var block)
        ? new TierBlock(key, block.Parent, block.Tokens, 7)
        : null;

    public IReadOnlyDictionary<BlockKey, DateTimeOffset> FindEvictions(IReadOnlyCollection<BlockKey> keys) =>
        new Dictionary<BlockKey, DateTimeOffset>();

    public void Dispose() => IsDisposed = true;
}
