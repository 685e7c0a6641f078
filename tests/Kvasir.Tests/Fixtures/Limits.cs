using Kvasir.Inference.Measurement.Limits;

namespace Kvasir.Tests.Fixtures;

/// <summary>Limits of no machine, to test with.</summary>
static class Limits
{
    static readonly DateTimeOffset s_once = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    public static ThreadLimits Of(int threads, double scale = 1) =>
        new(threads, 11e9 * scale, 12e9 * scale, 13e9 * scale, 14e9 * scale, "test", s_once);

    public static DiskLimits OfDisk(string directory) => new(directory, Direct: true, 1e9, 2e9, 3e9, 0.001, s_once);

    /// <summary>
    /// Puts limits of this very machine where a program with this folder as XDG_CACHE_HOME looks for them; all
    /// counts of threads share a scale.
    /// </summary>
    public static string Keep(string cacheHome, double scale = 1)
    {
        MachineLimits limits = MachineLimits.Unmeasured(MachineIdentity.Current());
        foreach (int threads in MachineSpeed.ThreadCounts(Environment.ProcessorCount))
            limits = limits.With(Of(threads, scale));
        string path = LimitsFile.In(Path.Combine(cacheHome, "kvasir"));
        LimitsFile.Write(path, limits);
        return path;
    }
}
