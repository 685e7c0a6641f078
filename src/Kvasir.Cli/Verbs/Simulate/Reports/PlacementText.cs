using Kvasir.Formats;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Traces;

namespace Kvasir.Cli.Verbs.Simulate.Reports;

/// <summary>Names of placements as users type them.</summary>
static class PlacementText
{
    static readonly (string Name, Placement Placement)[] s_all =
        [("round-robin", Placement.RoundRobin), ("session", Placement.Session), ("chain", Placement.Chain), ("block", Placement.Block),
            ("cache-aware", Placement.CacheAware), ("prefix", Placement.Prefix), ("affinity", Placement.Affinity),
            ("random", Placement.Random)];

    public static IEnumerable<string> Names => s_all.Select(known => known.Name);

    public static string Name(Placement placement) => s_all.First(known => known.Placement == placement).Name;

    public static Placement Parse(string flag, string text) => s_all.Any(known => known.Name == text)
        ? s_all.First(known => known.Name == text).Placement
        : throw new UsageException($"{flag} {Printable.Quote(text)}: expected one of {string.Join(", ", Names)}");

    /// <summary>Refuses to keep conversations together where a trace has none.</summary>
    public static void Check(string flag, Placement placement, Trace trace)
    {
        if (placement == Placement.Session && TraceSessions.Of(trace).Continued == 0)
            throw new UsageException($"{flag} 'session': no request of {Printable.Line(trace.Name)} goes on with an earlier one; expected "
                + $"one of {string.Join(", ", Names.Where(name => name != "session"))}");
    }
}
