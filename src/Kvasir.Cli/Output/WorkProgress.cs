using Spectre.Console;

namespace Kvasir.Cli.Output;

/// <summary>How far a piece of work is: a bar on a terminal, now and then a line elsewhere.</summary>
static class WorkProgress
{
    /// <param name="name">What is done, as in <c>reading trace.jsonl</c>.</param>
    /// <param name="work">Does it, and reports shares from 0 to 1.</param>
    public static T Show<T>(string name, Func<IProgress<double>, T> work) => Terminal.CanRewrite
        ? Terminal.Notes.Progress().AutoClear(true).Start(context => work(new Bar(context.AddTask(Markup.Escape(name), maxValue: 1))))
        : work(new Lines(name));

    sealed class Bar(ProgressTask bar) : IProgress<double>
    {
        public void Report(double value) => bar.Value = value;
    }

    sealed class Lines(string name) : IProgress<double>
    {
        readonly StatusLine _line = new();

        public void Report(double value)
        {
            lock (_line)
                _line.Show(() => $"{name}: {value * 100:0} %");
        }
    }
}
