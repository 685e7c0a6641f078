using Kvasir.Inference.Model;

namespace Kvasir.Cli.Output;

/// <summary>Shows how much of a big model is in memory.</summary>
sealed class LoadMeter : IProgress<LoadProgress>
{
    readonly StatusLine _line = new();

    public void Report(LoadProgress value)
    {
        _line.Show(() => $"loading weights, {value.Done >> 20:N0} of {value.Total >> 20:N0} MiB");
        if (value.Done == value.Total)
            _line.Clear();
    }
}
