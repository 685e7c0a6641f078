using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli.Output;

/// <summary>Shows how far a long prompt is.</summary>
sealed class PrefillMeter : IProgress<PrefillProgress>
{
    readonly StatusLine _line = new();

    public void Report(PrefillProgress value)
    {
        _line.Show(() => $"prefill {value.Done:N0} of {value.Total:N0} tokens, {value.Done / _line.Elapsed.TotalSeconds:N0} tok/s");
        if (value.Done == value.Total)
            _line.Clear();
    }

    /// <summary>Takes the line away: an interrupt comes before the last report, which does so otherwise.</summary>
    public void Clear() => _line.Clear();
}
