namespace Kvasir.KvCache.Views;

/// <summary>A counted right to read a view; its memory stays while any lease of it lives.</summary>
public sealed class ViewLease : IDisposable
{
    readonly ViewBook _book;
    bool _returned;

    internal ViewLease(ViewBook book, RetainedView view) => (_book, View) = (book, view);

    /// <summary>The view.</summary>
    public RetainedView View { get; }

    /// <summary>Gives the right back. Further calls do nothing.</summary>
    public void Dispose()
    {
        if (!Interlocked.Exchange(ref _returned, true))
            _book.Return(View);
    }
}
