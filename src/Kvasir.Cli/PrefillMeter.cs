using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli;

/// <summary>Shows how far a long prompt is.</summary>
sealed class PrefillMeter : Meter, IProgress<PrefillProgress>
{
    public void Report(PrefillProgress value) =>
        Show(() => $"prefill {value.Done:N0} of {value.Total:N0} tokens, {value.Done / Seconds:N0} tok/s", value.Done == value.Total);
}
