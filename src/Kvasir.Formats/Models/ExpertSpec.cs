namespace Kvasir.Formats.Models;

/// <summary>How many experts of a mixture a token chooses in each layer that has any.</summary>
/// <param name="Chosen">Experts that a token is multiplied with.</param>
/// <param name="All">Experts that it chooses from.</param>
public readonly record struct ExpertRouting(int Chosen, int All)
{
    /// <summary>
    /// Expected share of the experts that some token of a batch chooses, if each chooses any with equal probability:
    /// <c>1 − (1 − k/E)^B</c>. Real routers prefer some experts, so fewer are touched.
    /// </summary>
    public double Touched(double batch) => 1 - Math.Pow(1 - (double)Chosen / All, batch);

    /// <summary>The share that a batch touches of those experts that its first token leaves idle: 0 for a batch of 1.</summary>
    public double Woken(double batch) => Touched(batch - 1);
}

/// <summary>
/// The experts of a mixture from which tokens choose. Shared experts, and networks of layers without a choice, are none of them.
/// </summary>
/// <param name="Routing">How many a token chooses.</param>
/// <param name="Parameters">Of the matrices of all of them, in all layers.</param>
public sealed record ExpertSpec(ExpertRouting Routing, long Parameters)
{
    /// <summary>Parameters of the experts that one token does not choose.</summary>
    public long Idle => Parameters - Parameters / Routing.All * Routing.Chosen;
}
