using Kvasir.Inference.Measurement.Limits;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>Measuring the machine, with a bar on a terminal and a line for each step elsewhere.</summary>
static class Measuring
{
    /// <summary>The limits of this machine, as far as an earlier run kept them.</summary>
    public static LimitsCache Limits(CancellationToken cancellation) =>
        new(CacheFolder.Find(), MachineIdentity.Current(),
            threads => WithProgress(MachineSpeed.Steps, progress => MachineSpeed.Measure(threads, progress, cancellation)));

    public static T WithProgress<T>(int steps, Func<IProgress<string>, T> measure) => Terminal.CanRewrite
        ? Terminal.Notes.Progress().HideCompleted(true).Start(context => measure(new Bar(context.AddTask("measuring", maxValue: steps))))
        : measure(new Lines());

    /// <summary>Says so if the next run will have to measure again.</summary>
    public static void Warn(LimitsCache cache)
    {
        if (cache.NotKept is { } reason)
            Terminal.Line($"the limits are not kept: {reason}");
    }

    /// <summary>Unlike <see cref="Progress{T}"/>, reports at once and in order.</summary>
    sealed class Bar(ProgressTask bar) : IProgress<string>
    {
        int _begun;

        public void Report(string value)
        {
            bar.Description = Markup.Escape(value);
            bar.Value = _begun++;
        }
    }

    sealed class Lines : IProgress<string>
    {
        public void Report(string value) => Terminal.Line($"measuring {value}");
    }
}
