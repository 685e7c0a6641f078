using Kvasir.KvCache.Views;

namespace Kvasir.KvCache.Lookups;

/// <summary>What a retention policy meant for a request.</summary>
/// <param name="Policy">The policy, canonical.</param>
public sealed record RetentionUse(string Policy)
{
    /// <summary>
    /// The view through which the request was answered: less than all keys and values of its prefix, so not exactly. Null when it was
    /// answered exactly.
    /// </summary>
    public RetainedView? View { get; init; }

    /// <summary>Whether the view was there already; else it was made for this request.</summary>
    public bool WasFound { get; init; }

    /// <summary>How long it took to find out what to keep and to gather it; zero when the view was there.</summary>
    public TimeSpan ProfileTime { get; init; }

    /// <summary>How rows read only some pages of what is kept whole, as it stands; null with other policies.</summary>
    public PageReads? Pages { get; init; }

    /// <summary>Why there is no view; null when there is one, or none is to be.</summary>
    public string? WhyExact { get; init; }
}
