using System.Collections.Immutable;
using System.Globalization;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Formats;
using Kvasir.KvCache.Blocks;
using Kvasir.Planning.Simulation;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary>
/// Fleets that differ in something, such as <c>host=1GiB..1TiB policy=lru,s3-fifo</c>: lists with commas, ranges that double with
/// <c>..</c>, and all combinations of them.
/// </summary>
sealed class Sweep
{
    const int MostPoints = 1000;

    static readonly string[] s_names = [.. TierNames.All, "nodes", "placement", "policy"];

    Sweep(IReadOnlyList<SweepDimension> dimensions) => Dimensions = dimensions;

    public IReadOnlyList<SweepDimension> Dimensions { get; }

    public static Sweep Parse(string text)
    {
        List<SweepDimension> dimensions = [];
        foreach (string[] pair in text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(part => part.Split('=', 2)))
        {
            if (!s_names.Contains(pair[0]) || pair.Length < 2)
                throw new UsageException(
                    $"--sweep {Printable.Quote(string.Join('=', pair))}: expected NAME=VALUES with a name of {string.Join(", ", s_names)}");
            if (dimensions.Any(known => known.Name == pair[0]))
                throw new UsageException($"--sweep: {pair[0]} is there twice, expected once");
            dimensions.Add(new SweepDimension(pair[0], [.. pair[1].Split(',').SelectMany(value => Values(pair[0], value))]));
        }
        if (dimensions.Count == 0)
            throw new UsageException("--sweep '': expected something that differs, such as host=1GiB..1TiB");
        if (dimensions.Aggregate(1.0, (product, dimension) => product * dimension.Values.Count) is > MostPoints and var points)
            throw new UsageException($"--sweep {Printable.Quote(text)}: {points:N0} combinations, expected at most {MostPoints:N0}");
        return new Sweep(dimensions);
    }

    /// <summary>All combinations; the last dimension changes first.</summary>
    public IEnumerable<ImmutableArray<SweepValue>> Points() =>
        Dimensions.Aggregate((IEnumerable<ImmutableArray<SweepValue>>)[[]],
            (points, dimension) => points.SelectMany(point => dimension.Values.Select(point.Add)));

    static IEnumerable<SweepValue> Values(string name, string text) => name switch
    {
        "placement" => [OfPlacement(text)],
        "policy" when TierText.Policies.Contains(text) =>
            [new(text, 0, options => options with { Tiers = [.. options.Tiers.Select(tier => tier with { Policy = text })] })],
        "policy" => throw new UsageException($"--sweep policy={Printable.Line(text)}: expected {TierText.PolicyNames}"),
        "nodes" =>
            Range(name, text, Nodes).Select(nodes => new SweepValue($"{nodes}", nodes, options => options with { Nodes = (int)nodes })),
        _ => Range(name, text, room => Room(name, room)).Select(bytes =>
            new SweepValue(TierText.Room(bytes), bytes, options => WithRoom(options, Enum.Parse<Tier>(name, ignoreCase: true), bytes))),
    };

    static SweepValue OfPlacement(string text)
    {
        Placement placement = PlacementText.Parse("--sweep placement", text);
        return new SweepValue(text, 0, options => options with { Placement = placement });
    }

    static long Room(string name, string text) =>
        TierText.Room($"--sweep {name}", text) is var bytes && (bytes > 0 || name != Tier.Device.Name())
        ? bytes : throw new UsageException("--sweep device=0: expected more, since attention reads from there");

    static long Nodes(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int nodes) && nodes is >= 1 and <= 10_000
        ? nodes : throw new UsageException($"--sweep nodes={Printable.Line(text)}: expected numbers from 1 to 10000");

    /// <summary>One value, or those from the first, each twice the one before, up to the last.</summary>
    static IEnumerable<long> Range(string name, string text, Func<string, long> parse)
    {
        string[] ends = text.Split("..", 2);
        if (ends.Length == 1)
            return [parse(text)];
        long first = parse(ends[0]), last = parse(ends[1]);
        if (first < 1 || last < first || last == long.MaxValue)
            throw new UsageException($"--sweep {name}={Printable.Line(text)}: expected FIRST..LAST from less to more, above 0");
        return Enumerable.Range(0, 64 - (int)long.LeadingZeroCount(last / first)).Select(doublings => first << doublings);
    }

    /// <summary>The fleet with another room in a tier; 0 takes the tier away.</summary>
    static SimulationOptions WithRoom(SimulationOptions options, Tier tier, long bytes)
    {
        SimulatedTier changed = options.Tiers.FirstOrDefault(known => known.Tier == tier) is { } known
            ? known with { Bytes = bytes }
            : TierText.Usual(tier, bytes);
        return options with
        {
            Store = tier == Tier.Remote && bytes == 0 ? new StoreOptions() : options.Store,
            Tiers = [.. options.Tiers.Where(other => other.Tier != tier).Append(changed)
            .Where(each => each.Bytes > 0).OrderBy(each => each.Tier)]
        };
    }
}

/// <summary>Something that differs between fleets.</summary>
sealed record SweepDimension(string Name, IReadOnlyList<SweepValue> Values);

/// <summary>One of its values.</summary>
/// <param name="Text">As a reader sees it.</param>
/// <param name="Number">Bytes or machines; 0 for what is no number.</param>
/// <param name="Apply">Makes the fleet that has it.</param>
sealed record SweepValue(string Text, double Number, Func<SimulationOptions, SimulationOptions> Apply);
