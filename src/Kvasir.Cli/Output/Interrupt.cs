namespace Kvasir.Cli.Output;

/// <summary>Ctrl-C asks the work in progress to stop, once; a second Ctrl-C ends the program.</summary>
sealed class Interrupt : IDisposable
{
    readonly CancellationTokenSource _source = new();

    public Interrupt() => Console.CancelKeyPress += Cancel;

    public CancellationToken Token => _source.Token;

    public void Dispose()
    {
        Console.CancelKeyPress -= Cancel;
        _source.Dispose();
    }

    void Cancel(object? sender, ConsoleCancelEventArgs e)
    {
        e.Cancel = !_source.IsCancellationRequested;
        _source.Cancel();
    }
}
