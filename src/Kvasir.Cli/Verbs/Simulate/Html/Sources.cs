using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.KvCache.Blocks;

namespace Kvasir.Cli.Verbs.Simulate.Html;

/// <summary>Where the tokens of all prompts came from, as one bar.</summary>
static class Sources
{
    public static string Colour(string tier) => $"var(--{tier})"; // names of tiers are ours

    /// <summary>A tier by its name, or what was computed.</summary>
    public static string Describe(string source) => TierNames.TryParse(source, out Tier tier) ? $"{source}: {Describe(tier)}" : source;

    static string Describe(Tier tier) => tier switch
    {
        Tier.Device => "already where attention reads",
        Tier.Host => "the machine's memory",
        Tier.Disk => "the machine's own",
        _ => "a store that all share",
    };

    public static string Section(SimulateReport report)
    {
        (string Name, double Share)[] parts =
            [.. report.Outcome.Tiers.Select(tier => (tier.Tier, tier.TokenShare)), ("computed", 1 - report.Outcome.TokenHitRate)];
        string bar = string.Concat(parts.Where(part => part.Share > 0).Select(part =>
            FormattableString.Invariant($"<div style=\"flex:{part.Share * 1000:0.##};background:{Colour(part.Name)}\" title=\"{HtmlText.Escape($"{Describe(part.Name)}, {part.Share:P1}")}\"></div>")));
        string legend = string.Concat(parts.Select(part => $"<li><i style=\"background:{Colour(part.Name)}\"></i>{HtmlText.Escape(Describe(part.Name))} <b>{part.Share:P1}</b></li>"));
        return HtmlText.Section("Where prompt tokens came from", "Tokens that were found cost a copy at most; the others have to be computed.",
            $"<figure><div class=\"bar\" role=\"img\" aria-label=\"{HtmlText.Escape(string.Join(", ", parts.Select(part => $"{part.Name} {part.Share:P1}")))}\">{bar}</div><ul class=\"legend\" style=\"margin:0\">{legend}</ul></figure>");
    }
}
