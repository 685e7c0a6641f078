using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;

namespace Kvasir.KvCache;

/// <content>Views: what retention policies have kept.</content>
public sealed partial class TieredKvCache
{
    /// <summary>What retention policies have kept of exact prefixes: views in the pool, which no exact request reads.</summary>
    public ViewBook Views { get; } = new();

    /// <summary>
    /// A new sequence that goes on behind a view: positions count from the view's end, and what is computed is found by those alone who go
    /// on behind the same view.
    /// </summary>
    /// <param name="view">The view; the lease must live as long as the sequence.</param>
    /// <param name="sharing">Whether it finds and leaves blocks at all.</param>
    /// <param name="tokens">Tokens to make room for in the books.</param>
    public CachedSequence NewSequence(RetainedView view, bool sharing = true, int tokens = 0)
    {
        ArgumentNullException.ThrowIfNull(view);
        return new CachedSequence(this, sharing ? view.Name.Key() : PrivateRoot(), sharing, tokens, peer: null, view);
    }

    /// <summary>
    /// Makes a view of the first tokens of a sequence, which must be there, in all layers. On any thread, while nobody changes the
    /// sequence.
    /// </summary>
    /// <param name="exact">The sequence.</param>
    /// <param name="name">What it is called.</param>
    /// <param name="codecs">How it stores keys and values.</param>
    /// <param name="kept">What is kept.</param>
    /// <param name="isFound">Whether others may find it.</param>
    /// <param name="mass">What of their attention rows gave to what is kept; null where none looked.</param>
    /// <returns>A lease of it; null when the pool has no room.</returns>
    public ViewLease? TryGather(CachedSequence exact, ViewName name, ViewCodecs codecs, KeptPositions kept, bool isFound,
        ViewMass? mass = null)
    {
        ArgumentNullException.ThrowIfNull(exact);
        ArgumentNullException.ThrowIfNull(name);
        nint[] blocks = [.. Enumerable.Range(0, Layout.BlocksFor(name.Positions)).Select(block => Place(exact, block))];
        return new ViewGathering(Device, blocks, name, codecs, kept, mass).TryGather() is { } view ? Views.Add(view, isFound) : null;

        static unsafe nint Place(CachedSequence exact, int block) => (nint)exact.Table.Address(block);
    }
}
