using Kvasir.Formats;
using Kvasir.Planning.Simulation;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>Names of placements as users type them.</summary>
static class PlacementText
{
    static readonly (string Name, Placement Placement)[] s_all =
        [("round-robin", Placement.RoundRobin), ("chain", Placement.Chain), ("block", Placement.Block),
            ("cache-aware", Placement.CacheAware)];

    public static IEnumerable<string> Names => s_all.Select(known => known.Name);

    public static string Name(Placement placement) => s_all.First(known => known.Placement == placement).Name;

    public static Placement Parse(string flag, string text) => s_all.Any(known => known.Name == text)
        ? s_all.First(known => known.Name == text).Placement
        : throw new UsageException($"{flag} {Printable.Quote(text)}: expected one of {string.Join(", ", Names)}");
}
