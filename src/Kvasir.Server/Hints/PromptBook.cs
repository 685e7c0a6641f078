using System.Runtime.InteropServices;
using System.Text.Json;
using System.Threading.Channels;
using Kvasir.Cluster.Events;
using Kvasir.Cluster.Routing;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Tiers;
using Microsoft.AspNetCore.Http;

namespace Kvasir.Server.Hints;

/// <summary>
/// Which pieces of the prompts that were served are in the tiers of this machine, and who wants to know: routers, which see texts and no
/// tokens. Kept from the moment that one asks. A piece counts as there while the block is that holds its end, about; that is looked up a
/// part of the book at a time. Thread-safe.
/// </summary>
sealed class PromptBook : IDisposable
{
    const int MostPieces = 1 << 18, MostAtOnce = 4096, MostUnread = 256;
    const int Parts = 8; // in as many seconds all of the book is looked through

    readonly TieredKvCache _cache;
    readonly Lock _gate = new();
    readonly Dictionary<ulong, BlockKey> _blocks = [];
    readonly Queue<ulong> _order = new(); // those that were looked up or came last at its end
    readonly HashSet<Listener> _listeners = [];
    readonly Timer _timer;
    volatile bool _isWanted;

    public PromptBook(TieredKvCache cache)
    {
        _cache = cache;
        _timer = new Timer(_ => LookThrough(), null, Timeout.InfiniteTimeSpan, Timeout.InfiniteTimeSpan);
    }

    /// <summary>Notes what a request asks, while its body is there.</summary>
    public void Note(HttpContext context, JsonElement body)
    {
        if (_isWanted)
            context.Features.Set(PromptChain.Of(context.Request.Path, PromptChain.KeyOf(context.Request), null,
                JsonMarshal.GetRawUtf8Value(body)));
    }

    /// <summary>Its prompt was computed, as far as it was.</summary>
    public void Served(HttpContext context, int[] tokens, byte[] salt)
    {
        if (context.Features.Get<PromptChain>() is not { Hashes.Length: > 0 } chain)
            return;
        IReadOnlyList<BlockKey> keys = _cache.Keys(tokens, salt);
        List<ulong> added = [];
        for (int piece = 0; piece < chain.Hashes.Length; piece++)
        {
            BlockKey block = keys[chain.BlockOf(piece, keys.Count)];
            if (IsHere(block))
                Add(chain.Hashes[piece], block, added);
        }
        Publish(NodeEvents.Added, added);
    }

    /// <summary>Begins to listen: first to what is there, then to what changes.</summary>
    public Listener Listen()
    {
        Listener listener = new(this);
        lock (_gate)
        {
            if (!_isWanted)
                _timer.Change(TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(1));
            _isWanted = true;
            listener.Take(NodeEvents.Snapshot, []);
            foreach (ulong[] hashes in _order.Chunk(MostAtOnce))
                listener.Take(NodeEvents.Added, hashes);
            _listeners.Add(listener);
        }
        return listener;
    }

    public void Dispose() => _timer.Dispose();

    void Add(ulong hash, BlockKey block, List<ulong> added)
    {
        lock (_gate)
        {
            if (!_blocks.ContainsKey(hash))
            {
                added.Add(hash);
                _order.Enqueue(hash);
            }
            _blocks[hash] = block;
        }
    }

    /// <summary>Forgets pieces whose blocks have gone, and the oldest of too many.</summary>
    void LookThrough()
    {
        List<ulong> removed = [];
        lock (_gate)
            for (int left = _order.Count / Parts + 1; left > 0 && _order.TryDequeue(out ulong hash); left--)
                if (_order.Count < MostPieces && IsHere(_blocks[hash]))
                    _order.Enqueue(hash);
                else
                {
                    _blocks.Remove(hash);
                    removed.Add(hash);
                }
        Publish(NodeEvents.Removed, removed);
    }

    /// <summary>Whether a block is in a tier of this machine.</summary>
    bool IsHere(BlockKey key)
    {
        if (_cache.Device.Contains(key))
            return true;
        foreach (ITier tier in _cache.Tiers)
            if (tier.Tier is Tier.Host or Tier.Disk && tier.Contains(key))
                return true;
        return false;
    }

    void Publish(string kind, List<ulong> hashes)
    {
        if (hashes.Count == 0)
            return;
        lock (_gate)
            foreach (ulong[] some in hashes.Chunk(MostAtOnce))
                foreach (Listener listener in _listeners)
                    listener.Take(kind, some);
    }

    /// <summary>One who listens. Who reads too slowly misses changes, and sees by their numbers that he does.</summary>
    public sealed class Listener(PromptBook book) : IDisposable
    {
        readonly Channel<(string Kind, NodeChange Change)> _changes = Channel.CreateBounded<(string, NodeChange)>(
            new BoundedChannelOptions(MostUnread) { FullMode = BoundedChannelFullMode.DropOldest, SingleReader = true });
        long _sequence;

        /// <summary>What has changed and was not read yet.</summary>
        public ChannelReader<(string Kind, NodeChange Change)> Changes => _changes.Reader;

        public void Take(string kind, ReadOnlySpan<ulong> hashes) =>
            _changes.Writer.TryWrite((kind, new NodeChange(_sequence++, NodeEvents.TextOf(hashes))));

        public void Dispose()
        {
            lock (book._gate)
                book._listeners.Remove(this);
        }
    }
}
