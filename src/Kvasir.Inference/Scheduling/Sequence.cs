using System.Runtime.InteropServices;
using Kvasir.KvCache;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// One growing run of tokens and the blocks that hold their keys and values. Tokens are appended first and computed by the next generation,
/// which computes only what is not in the cache yet: a conversation continues where it stopped.
/// </summary>
public sealed class Sequence : IDisposable
{
    readonly List<int> _tokens;
    readonly Func<CachedSequence> _newBlocks;
    ViewLease? _view;

    internal Sequence(EngineParts engine, Func<CachedSequence> newBlocks)
    {
        (Engine, _newBlocks, Blocks) = (engine, newBlocks, newBlocks());
        _tokens = new List<int>(engine.Context); // grown once: a decode step allocates nothing
    }

    /// <summary>All tokens: prompts and completions.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>How many of them have their keys and values in the cache.</summary>
    public int Cached => Blocks.Table.Start + Blocks.Length;

    /// <summary>Tokens of which keys and values were computed for this sequence so far.</summary>
    public long Computed { get; internal set; }

    /// <summary>Whether a completion of it is on its way: then it belongs to the engine.</summary>
    internal volatile bool IsBusy;

    internal EngineParts Engine { get; }

    /// <summary>Whose it is.</summary>
    internal byte[] Salt { get; init; } = [];

    internal CachedSequence Blocks { get; private set; }

    /// <summary>What stands for the first tokens; null when all are there exactly.</summary>
    internal RetainedView? View => _view?.View;

    /// <summary>The tokens whose keys and values lie in <see cref="Blocks"/>: all, or those behind the view.</summary>
    internal ReadOnlySpan<int> Tail => Tokens[Blocks.Table.Start..];

    /// <summary>Adds tokens at the end.</summary>
    /// <exception cref="ArgumentOutOfRangeException">A token is not of the model's vocabulary.</exception>
    /// <exception cref="ContextExceededException">More tokens than the context holds; nothing was added.</exception>
    public void Append(ReadOnlySpan<int> tokens)
    {
        foreach (int token in tokens)
            ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)token, (uint)Engine.Config.Vocabulary, nameof(tokens));
        if (_tokens.Count + (long)tokens.Length > Engine.Context)
            throw new ContextExceededException(_tokens.Count + tokens.Length, Engine.Context, Engine.Config.Context);
        _tokens.AddRange(tokens);
    }

    /// <summary>Forgets all tokens and gives the blocks back; the cache keeps what it can.</summary>
    public void Clear()
    {
        LeaveView();
        Blocks.Clear(Tail);
        _tokens.Clear();
    }

    /// <summary>Goes on behind a view of its first tokens: the exact blocks go back to the cache.</summary>
    /// <param name="view">The view.</param>
    /// <param name="isShared">Whether others who go on behind it find what is computed here.</param>
    internal void Enter(ViewLease view, bool isShared)
    {
        LeaveView();
        Blocks.Clear(Tokens);
        (_view, Blocks) = (view, Engine.Cache.NewSequence(view.View, isShared, Engine.Context - view.View.Positions));
    }

    /// <summary>Becomes exact again: what was computed behind the view goes back to the cache, and nothing is there.</summary>
    internal void LeaveView()
    {
        if (_view is null)
            return;
        Blocks.Clear(Tail);
        _view.Dispose();
        (_view, Blocks) = (null, _newBlocks());
    }

    /// <summary>Gives the blocks back.</summary>
    public void Dispose() => Clear();

    internal void Append(int token) => _tokens.Add(token);
}
