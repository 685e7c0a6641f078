using System.Diagnostics;

namespace Kvasir.Cli.Output;

/// <summary>
/// How far a long task is: one line that is rewritten on a terminal, a line every few seconds elsewhere, nothing for short tasks.
/// </summary>
sealed class StatusLine
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1), s_plainInterval = TimeSpan.FromSeconds(5);

    readonly Stopwatch _clock = Stopwatch.StartNew();
    TimeSpan _lastLine = TimeSpan.Zero;
    bool _shown;

    /// <summary>Time since the task began.</summary>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>Shows a line, unless it is too early for one.</summary>
    public void Show(Func<string> line)
    {
        if (_clock.Elapsed < s_patience)
            return;
        if (Terminal.CanRewrite)
            Rewrite(line());
        else if (_clock.Elapsed - _lastLine > s_plainInterval)
        {
            Terminal.Line(line());
            _lastLine = _clock.Elapsed;
        }
    }

    /// <summary>Takes the line away.</summary>
    public void Clear()
    {
        if (_shown)
            Rewrite("");
    }

    void Rewrite(string line)
    {
        Console.Error.Write($"\r\e[K{line}");
        _shown = line.Length > 0;
    }
}
