using System.Diagnostics;

namespace Kvasir.Cli;

/// <summary>How far long work is: one line that is rewritten on a terminal, a line every few seconds elsewhere, nothing for work that is soon done.</summary>
abstract class Meter
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1), s_plainInterval = TimeSpan.FromSeconds(5);

    readonly Stopwatch _clock = Stopwatch.StartNew();
    TimeSpan _lastLine = TimeSpan.Zero;
    bool _shown;

    /// <summary>Seconds since the work began.</summary>
    protected double Seconds => _clock.Elapsed.TotalSeconds;

    protected void Show(Func<string> line, bool done)
    {
        if (_clock.Elapsed < s_patience)
            return;
        if (Terminal.CanRewrite)
            Rewrite(done ? "" : line());
        else if (_clock.Elapsed - _lastLine > s_plainInterval)
        {
            Terminal.Line(line());
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
