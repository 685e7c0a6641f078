using System.Runtime.InteropServices;
using Kvasir.KvCache;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// One growing run of tokens and the blocks that hold their keys and values. Tokens are appended first and computed by the next generation,
/// which computes only what is not in the cache yet: a conversation continues where it stopped.
/// </summary>
public sealed class Sequence : IDisposable
{
    readonly List<int> _tokens;

    internal Sequence(EngineParts engine, CachedSequence blocks)
    {
        (Engine, Blocks) = (engine, blocks);
        _tokens = new List<int>(engine.Context); // grown once: a decode step allocates nothing
    }

    /// <summary>All tokens: prompts and completions.</summary>
    public ReadOnlySpan<int> Tokens => CollectionsMarshal.AsSpan(_tokens);

    /// <summary>How many of them have their keys and values in the cache.</summary>
    public int Cached => Blocks.Length;

    /// <summary>Tokens of which keys and values were computed for this sequence so far.</summary>
    public long Computed { get; internal set; }

    /// <summary>Whether a completion of it is on its way: then it belongs to the engine.</summary>
    internal volatile bool IsBusy;

    internal EngineParts Engine { get; }

    internal CachedSequence Blocks { get; }

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
        Blocks.Clear(Tokens);
        _tokens.Clear();
    }

    /// <summary>Gives the blocks back.</summary>
    public void Dispose() => Clear();

    internal void Append(int token) => _tokens.Add(token);
}
