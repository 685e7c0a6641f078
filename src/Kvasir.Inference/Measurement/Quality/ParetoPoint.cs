namespace Kvasir.Inference.Measurement.Quality;

/// <summary>What a way of keeping keys and values costs and gives.</summary>
/// <param name="Name">Such as a policy.</param>
/// <param name="Group">What has the same colour, such as a scorer.</param>
/// <param name="BytesPerToken">Bytes of the pool for each token of context.</param>
/// <param name="Answers">The answers that were right.</param>
/// <param name="Divergence">KL divergence from the exact predictions, in nats per token; null where it was not measured.</param>
public sealed record ParetoPoint(string Name, string Group, double BytesPerToken, Score Answers, double? Divergence = null)
{
    /// <summary>Those of which no other has more right answers and no more bytes, or as many with fewer; by bytes.</summary>
    public static IReadOnlyList<ParetoPoint> Best(IEnumerable<ParetoPoint> points) => Best(points, point => -point.Answers.Share);

    /// <summary>The same where less is better.</summary>
    internal static IReadOnlyList<ParetoPoint> Best(IEnumerable<ParetoPoint> points, Func<ParetoPoint, double> cost)
    {
        List<ParetoPoint> best = [];
        foreach (ParetoPoint point in points.OrderBy(point => point.BytesPerToken).ThenBy(cost))
            if (best.Count == 0 || cost(point) < cost(best[^1]))
                best.Add(point);
        return best;
    }
}
