namespace Kvasir.Inference.Measurement.Quality;

/// <summary>By how much a share of right answers is above another's.</summary>
/// <param name="Difference">Of the shares, −1 to 1.</param>
/// <param name="Interval">It lies between these with 95 % confidence.</param>
public readonly record struct ShareDifference(double Difference, Bounds Interval);

/// <summary>
/// Compares two ways of answering the same questions. Questions of one document are not independent, and both answered the same ones: thus
/// documents are drawn, with both scores of each (Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, percentiles).
/// </summary>
public static class PairedBootstrap
{
    /// <summary>Draws that are made of as many documents as there are.</summary>
    public const int Draws = 10_000;

    const double Tail = 0.025;

    /// <summary>By how much the first is better than the second.</summary>
    /// <param name="first">The scores of each document.</param>
    /// <param name="second">Those of the same documents, in the same order.</param>
    /// <param name="seed">Of what is drawn: equal seeds give equal bounds.</param>
    /// <exception cref="ArgumentException">There are no documents, not the same ones, or questions were not asked.</exception>
    public static ShareDifference Compare(IReadOnlyList<Score> first, IReadOnlyList<Score> second, int seed = 1)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        if (first.Count == 0 || first.Count != second.Count)
            throw new ArgumentException($"{first.Count} and {second.Count} documents, expected the same ones");
        for (int i = 0; i < first.Count; i++)
            if (first[i].Asked != second[i].Asked || first[i].Asked == 0)
                throw new ArgumentException($"document {i}: {first[i].Asked} and {second[i].Asked} questions, expected the same ones");
        var random = new Random(seed);
        double[] drawn = new double[Draws];
        for (int draw = 0; draw < Draws; draw++)
            drawn[draw] = Difference(first, second, _ => random.Next(first.Count));
        Array.Sort(drawn);
        return new ShareDifference(Difference(first, second, i => i), new Bounds(At(drawn, Tail), At(drawn, 1 - Tail)));
    }

    static double Difference(IReadOnlyList<Score> first, IReadOnlyList<Score> second, Func<int, int> document)
    {
        long difference = 0, asked = 0;
        for (int i = 0; i < first.Count; i++)
        {
            int chosen = document(i);
            (difference, asked) = (difference + first[chosen].Right - second[chosen].Right, asked + first[chosen].Asked);
        }
        return (double)difference / asked;
    }

    static double At(double[] ascending, double share) => ascending[(int)Math.Round(share * (ascending.Length - 1))];
}
