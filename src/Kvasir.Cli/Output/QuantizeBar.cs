using Kvasir.Formats.Quantization;
using Spectre.Console;

namespace Kvasir.Cli.Output;

/// <summary>A bar of what is converted. Unlike <see cref="Progress{T}"/>, it reports at once and in order.</summary>
sealed class QuantizeBar(ProgressTask bar) : IProgress<QuantizeProgress>
{
    public void Report(QuantizeProgress value)
    {
        bar.MaxValue = Math.Max(1, value.BytesTotal);
        bar.Value = value.BytesDone;
    }
}
