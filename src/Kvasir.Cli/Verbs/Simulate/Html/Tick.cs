namespace Kvasir.Cli.Verbs.Simulate.Html;

/// <summary>A mark of an axis.</summary>
readonly record struct Tick(double Value, string Label)
{
    static readonly double[] s_times = [1e-6, 1e-5, 1e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120,
        300, 600, 900, 1800, 3600, 7200, 4 * 3600, 6 * 3600, 12 * 3600, 86_400, 2 * 86_400, 7 * 86_400, 30 * 86_400, 365 * 86_400];

    /// <summary>Times from 0 at round steps, all in the unit that suits the last.</summary>
    public static IReadOnlyList<Tick> Times(double most, int count)
    {
        double step = s_times.FirstOrDefault(step => most / step <= count, s_times[^1]);
        (double unit, string name) = most switch
        {
            < 1e-3 => (1e-6, "µs"),
            < 1 => (1e-3, "ms"),
            < 120 => (1, "s"),
            < 3 * 3600 =>
            (60, "min"),
            < 3 * 86_400 => (3600, "h"),
            _ => (86_400.0, "d")
        };
        return [.. Enumerable.Range(0, (int)Math.Min(most / step + 1e-9, count) + 1)
            .Select(i => new Tick(i * step, FormattableString.Invariant($"{i * step / unit:0.##} {name}")))];
    }

    /// <summary>Shares from 0 to a round share of at least the greatest.</summary>
    public static IReadOnlyList<Tick> Shares(double most)
    {
        double step = most switch { > 0.6 => 0.2, > 0.25 => 0.1, > 0.1 => 0.05, > 0.04 => 0.02, > 0.01 => 0.005, _ => 0.002 };
        return [.. Enumerable.Range(0, Math.Max(1, (int)Math.Ceiling(most / step - 1e-9)) + 1)
            .Select(i => new Tick(i * step, FormattableString.Invariant($"{i * step * 100:0.##} %")))];
    }

    /// <summary>Some of the given values, none of them close to another.</summary>
    public static IReadOnlyList<Tick> Some(IReadOnlyList<Tick> all, int most)
    {
        int step = (all.Count + most - 1) / most;
        return [.. all.Where((_, i) => i % step == 0)];
    }
}
