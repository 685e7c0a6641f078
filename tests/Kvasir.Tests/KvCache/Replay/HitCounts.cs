namespace Kvasir.Tests.KvCache.Replay;

/// <summary>What a replay found, in blocks.</summary>
/// <param name="Accesses">All blocks of all requests.</param>
/// <param name="Hits">Blocks that were there, after a hole too.</param>
/// <param name="PrefixHits">Blocks that were there with all before them.</param>
/// <param name="Written">Blocks that were written into the tier.</param>
readonly record struct HitCounts(long Accesses, long Hits, long PrefixHits, long Written)
{
    public double HitPercent => 100.0 * Hits / Accesses;

    public double PrefixPercent => 100.0 * PrefixHits / Accesses;

    /// <summary>Counts a request's blocks.</summary>
    public HitCounts With(int[] request, Func<int, bool> holds)
    {
        int prefix = request.TakeWhile(holds).Count();
        return this with { Accesses = Accesses + request.Length, Hits = Hits + request.Count(holds), PrefixHits = PrefixHits + prefix };
    }
}
