using System.Diagnostics;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli;

/// <summary>Shows how far a long prompt is: one line that is rewritten on a terminal, a line every few seconds elsewhere, nothing for short ones.</summary>
sealed class PrefillMeter : IProgress<PrefillProgress>
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1), s_plainInterval = TimeSpan.FromSeconds(5);

    readonly Stopwatch _clock = Stopwatch.StartNew();
    TimeSpan _lastLine = TimeSpan.Zero;
    bool _shown;

    public void Report(PrefillProgress value)
    {
        if (_clock.Elapsed < s_patience)
            return;
        string line = $"prefill {value.Done:N0} of {value.Total:N0} tokens, {value.Done / _clock.Elapsed.TotalSeconds:N0} tok/s";
        if (Terminal.CanRewrite)
            Rewrite(value.Done == value.Total ? "" : line);
        else if (_clock.Elapsed - _lastLine > s_plainInterval)
        {
            Terminal.Line(line);
            _lastLine = _clock.Elapsed;
        }
    }

    /// <summary>Takes the line away: an interrupt comes before the last report, which does so otherwise.</summary>
    public void Clear()
    {
        if (_shown)
            Rewrite("");
    }

    void Rewrite(string line)
    {
        if (line.Length > 0 || _shown)
            Console.Error.Write($"\r\e[K{line}");
        _shown = line.Length > 0;
    }
}
