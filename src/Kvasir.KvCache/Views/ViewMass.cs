namespace Kvasir.KvCache.Views;

/// <summary>
/// Which share of their attention, 0 to 1, the rows that looked at a prefix gave to the positions that a view keeps; of rows that are
/// scored in a part of the prefix, as those of a replay are in what they repeat, of their attention there. It says how a policy chose, and
/// not whether answers are still there.
/// </summary>
/// <param name="Mean">Over KV heads.</param>
/// <param name="Least">Of the head that lost most.</param>
public sealed record ViewMass(double Mean, double Least);
