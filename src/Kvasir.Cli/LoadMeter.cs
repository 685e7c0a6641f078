using Kvasir.Inference.Model;

namespace Kvasir.Cli;

/// <summary>Shows how much of a big model is in memory.</summary>
sealed class LoadMeter : Meter, IProgress<LoadProgress>
{
    public void Report(LoadProgress value) =>
        Show(() => $"loading weights, {value.Done >> 20:N0} of {value.Total >> 20:N0} MiB", value.Done == value.Total);
}
