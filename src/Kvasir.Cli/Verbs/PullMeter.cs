using Kvasir.Cli.Pull;
using Kvasir.Formats;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>How far a download is: bars on a terminal, now and then a line elsewhere, and an object of each file for programs.</summary>
static class PullMeter
{
    public static T Show<T>(bool json, Func<IProgress<PullProgress>, T> work)
    {
        if (json)
            return work(new Objects());
        if (!Terminal.CanRewrite)
            return work(new Lines());
        return Terminal.Notes.Progress().AutoClear(true)
            .Columns(new TaskDescriptionColumn(), new ProgressBarColumn(), new DownloadedColumn(),
                new TransferSpeedColumn(), new RemainingTimeColumn())
            .Start(context => work(new Bars(context)));
    }

    sealed class Bars(ProgressContext context) : IProgress<PullProgress>
    {
        readonly Dictionary<string, ProgressTask> _bars = [];

        public void Report(PullProgress value)
        {
            HubFile file = value.File;
            if (!_bars.TryGetValue(file.Path, out ProgressTask? bar))
                _bars.Add(file.Path, bar = context.AddTask("", maxValue: Math.Max(1, file.Size)));
            bar.Description = Markup.Escape(Printable.Line(file.Path, 60)) + (value.IsWaiting ? " (another process fetches it)" : "");
            bar.Value = file.Size == 0 ? 1 : value.Done;
        }
    }

    sealed class Lines : IProgress<PullProgress>
    {
        readonly StatusLine _line = new();

        public void Report(PullProgress value) => _line.Show(() => $"{Printable.Line(value.File.Path, 1024)}: {value.Done >> 20:N0} of "
            + $"{value.File.Size >> 20:N0} MiB{(value.IsWaiting ? ", by another process" : "")}");
    }

    sealed class Objects : IProgress<PullProgress>
    {
        public void Report(PullProgress value)
        {
            if (value.IsThere)
                VerbJson.Write(new PulledFile(value.File.Path, value.File.Size, value.File.Hash));
        }
    }
}
