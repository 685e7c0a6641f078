using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;

namespace Kvasir.Cli.Verbs;

/// <summary>What stands beside what <c>bench</c> measures: the CPU's limits; nobody has measured those of other devices.</summary>
sealed record BenchLimits(MachineIdentity Machine, int Threads, LimitsCache? Cache, ThreadLimits? Limits)
{
    public static BenchLimits Of(LanguageModel model, int threads, CancellationToken cancellation)
    {
        if (model.Backend.Name != "cpu")
            return new BenchLimits(MachineIdentity.Current(), threads, null, null);
        LimitsCache cache = Measuring.Limits(cancellation);
        ThreadLimits limits = cache.Get(threads);
        Terminal.Line($"limits of this machine, measured {LimitsReport.Date(limits.Measured)}; `kvasir limits --again` measures them anew");
        return new BenchLimits(cache.Limits.Machine, threads, cache, limits);
    }

    /// <summary>Measured again where something was faster than they are.</summary>
    public BenchLimits Raised(Func<ThreadLimits?, bool> isFaster)
    {
        if (Cache is null)
            return this;
        BenchLimits raised = this;
        if (isFaster(Limits))
        {
            Terminal.Line("faster than the limits, which are measured again");
            raised = this with { Limits = Cache.Raise(Threads) };
        }
        Measuring.Warn(Cache);
        return raised;
    }
}
