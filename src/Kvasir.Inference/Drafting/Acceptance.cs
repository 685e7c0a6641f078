namespace Kvasir.Inference.Drafting;

/// <summary>
/// How often the token that a match proposes is the one that comes, by the length of the match, lately: old counts fade. Every proposal
/// counts, also one that nobody computed.
/// </summary>
/// <param name="prior">What is believed before there is evidence; null for a guess.</param>
sealed class Acceptance(Acceptance? prior = null)
{
    const double Fading = 0.95; // a count of twenty
    const double PriorWeight = 4;

    static readonly double[] s_guess = [0.25, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95]; // by Class

    readonly double[] _seen = new double[s_guess.Length];
    readonly double[] _right = new double[s_guess.Length];

    /// <summary>How likely the next token is the one that follows a match of so many tokens.</summary>
    public double Chance(int common) => ChanceOf(Class(common));

    /// <summary>The token that followed a match of so many tokens came, or another did.</summary>
    public void Tell(int common, bool isRight)
    {
        int one = Class(common);
        (_seen[one], _right[one]) = (_seen[one] * Fading + 1, _right[one] * Fading + (isRight ? 1 : 0));
        prior?.Tell(common, isRight);
    }

    double ChanceOf(int one) => (_right[one] + PriorWeight * (prior?.ChanceOf(one) ?? s_guess[one])) / (_seen[one] + PriorWeight);

    static int Class(int common) => common switch
    {
        <= 2 => 0,
        3 => 1,
        4 => 2,
        <= 6 => 3,
        <= 9 => 4,
        <= 15 => 5,
        <= 31 => 6,
        _ => 7,
    };
}
