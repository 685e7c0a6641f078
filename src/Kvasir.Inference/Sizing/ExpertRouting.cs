namespace Kvasir.Inference.Sizing;

/// <summary>How many experts of a mixture a token chooses in each layer that has any.</summary>
/// <param name="Chosen">Experts that a token is multiplied with.</param>
/// <param name="All">Experts that it chooses from.</param>
public readonly record struct ExpertRouting(int Chosen, int All)
{
    /// <summary>
    /// Expected share of the experts that some token of a batch chooses, if each chooses any with equal probability: <c>1 − (1 − k/E)^B</c>. Real routers prefer some
    /// experts, so fewer are touched.
    /// </summary>
    public double Touched(double batch) => 1 - Math.Pow(1 - (double)Chosen / All, batch);
}
