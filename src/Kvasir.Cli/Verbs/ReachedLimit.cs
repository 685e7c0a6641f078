using System.Globalization;
using System.Text.RegularExpressions;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary>What a run reached of its limit.</summary>
/// <param name="Model">The model that ran, by the name that <c>bench</c> gives it.</param>
/// <param name="Test">What was measured, as <c>bench</c> calls it.</param>
/// <param name="TokensPerS">How fast it was.</param>
/// <param name="LimitTokensPerS">How fast it could have been.</param>
/// <param name="Share">The one over the other.</param>
sealed partial record ReachedLimit(string Model, string Test, double TokensPerS, double LimitTokensPerS, double Share)
{
    const int MostTokens = 1 << 21;

    /// <summary>The tests of a report that are known.</summary>
    public static IReadOnlyList<ReachedLimit> Of(SpeedOfLight limits, BenchReport bench) =>
        [.. bench.Tests.SelectMany(row => Of(limits, bench.Model, row))];

    static IEnumerable<ReachedLimit> Of(SpeedOfLight limits, string model, BenchRow row)
    {
        Match match = Pattern().Match(row.Test);
        if (!match.Success)
            yield break;
        int tokens = Math.Clamp(Tokens(match, 2), 1, MostTokens), depth = Math.Min(MostTokens, Tokens(match, 3));
        double fastest = match.Groups[1].Value == "prefill"
            ? tokens / limits.Prefill(tokens, depth).Seconds
            : 1 / limits.Step(1, depth + tokens / 2).Seconds; // in the middle of the run
        yield return new ReachedLimit(model, row.Test, row.TokensPerS, fastest, row.TokensPerS / fastest);
    }

    static int Tokens(Match match, int group) => int.Parse(match.Groups[group].Value, CultureInfo.InvariantCulture);

    [GeneratedRegex(@"^(prefill|decode) (\d{1,9}) at (\d{1,9})\z")]
    private static partial Regex Pattern();
}
