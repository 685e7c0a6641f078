namespace Kvasir.Inference.Scheduling;

/// <summary>As many completions wait as may.</summary>
/// <param name="waiting">How many wait.</param>
/// <param name="retryAfter">When it may be worth trying again.</param>
public sealed class QueueFullException(int waiting, TimeSpan retryAfter)
    : Exception($"{waiting:N0} requests are waiting already; try again in {retryAfter.TotalSeconds:N0} s")
{
    /// <summary>When it may be worth trying again.</summary>
    public TimeSpan RetryAfter => retryAfter;
}
