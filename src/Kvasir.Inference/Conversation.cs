using System.Collections.Immutable;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference;

/// <summary>
/// A chat on one sequence. Turns are only ever appended, so what was computed for earlier turns is used as it is: a new turn costs its own
/// tokens. An answer that was interrupted stays as far as it came.
/// </summary>
public sealed class Conversation : IDisposable
{
    readonly InferenceEngine _engine;
    readonly ChatFormat _format;
    readonly string? _system;
    readonly Sequence _sequence;
    bool _answerIsOpen; // the last turn is an answer whose end is not written yet

    /// <param name="engine">The engine; must outlive the conversation.</param>
    /// <param name="format">The model's chat format.</param>
    /// <param name="system">The system prompt, or null for none.</param>
    public Conversation(InferenceEngine engine, ChatFormat format, string? system = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(format);
        (_engine, _format, _system, _sequence) = (engine, format, system, engine.NewSequence());
    }

    /// <summary>Tokens of all turns so far.</summary>
    public int Tokens => _sequence.Tokens.Length;

    /// <summary>The engine.</summary>
    public InferenceEngine Engine => _engine;

    /// <summary>The tokens of all turns so far.</summary>
    public ReadOnlySpan<int> History => _sequence.Tokens;

    /// <summary>
    /// Continues a conversation that was held before, in this process or another. Nothing is computed yet: the next turn finds in the cache what is still there.
    /// </summary>
    /// <param name="history">Tokens of all its turns, the system prompt's included; the last turn is an answer.</param>
    /// <exception cref="InvalidOperationException">This conversation has begun already.</exception>
    /// <exception cref="ContextExceededException">The history does not fit.</exception>
    public void Resume(ReadOnlySpan<int> history)
    {
        if (Tokens > 0)
            throw new InvalidOperationException("a conversation that has begun cannot become another one");
        _sequence.Append(history);
        _answerIsOpen = history.Length > 0;
    }

    /// <summary>Answers a message.</summary>
    /// <param name="message">What the user says.</param>
    /// <param name="options">How long the answer may become, and how tokens are chosen.</param>
    /// <param name="emit">Receives the answer as it comes.</param>
    /// <param name="cancellation">Ends the answer; the conversation goes on from there.</param>
    /// <exception cref="ContextExceededException">The turn does not fit; the conversation is as it was.</exception>
    public GenerationResult Say(string message, GenerationOptions options, Action<string> emit, CancellationToken cancellation = default)
    {
        int[] turn = [.. EndOfAnswer(), .. Opening(), .. _format.EncodeTurn(new ChatMessage("user", message)), .. _format.EncodeAssistantPrompt()];
        if (Tokens + turn.Length >= _engine.Context) // checked before appending: a turn that cannot be answered must not stay in the sequence
            throw new ContextExceededException(Tokens + turn.Length + 1, _engine.Context, _engine.Model.Config.Context);
        _sequence.Append(turn);
        _answerIsOpen = true;
        return _engine.Generate(_sequence, options, emit, cancellation);
    }

    /// <summary>Forgets all turns but the system prompt.</summary>
    public void Reset()
    {
        _sequence.Clear();
        _answerIsOpen = false;
    }

    /// <summary>Gives the blocks back.</summary>
    public void Dispose() => _sequence.Dispose();

    ImmutableArray<int> Opening()
    {
        if (Tokens > 0)
            return [];
        return _system is null ? _format.Opening : [.. _format.Opening, .. _format.EncodeTurn(new ChatMessage("system", _system))];
    }

    /// <summary>What closes the last answer: the model may have written the first token of it, or have been cut off before, and a history may be whole.</summary>
    IEnumerable<int> EndOfAnswer()
    {
        if (!_answerIsOpen)
            return [];
        int[] end = _format.EncodeEndOfTurn();
        for (int written = end.Length; written > 0; written--)
            if (_sequence.Tokens.EndsWith(end.AsSpan(0, written)))
                return end.Skip(written);
        return end;
    }
}
