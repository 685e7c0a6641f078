using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Templates;

namespace Kvasir.Inference;

/// <summary>
/// A chat on one sequence. Each turn writes the whole conversation anew, as a client of a server sends it, so its tokens are those that a
/// server, or a later process, makes of the same texts. Where they go on from the tokens that are there, generated ones included, only
/// the new ones are computed; where the template writes earlier turns differently now (without what a model thought, for example), or an
/// answer's text has other tokens than the model wrote it in, the cache has what they still share.
/// </summary>
public sealed class Conversation : IDisposable
{
    readonly ChatPrompts _prompts;
    readonly string? _system;
    readonly Sequence _sequence;
    ChatTranscript _transcript = new();

    /// <param name="engine">The engine; must outlive the conversation.</param>
    /// <param name="prompts">Writes conversations as the engine's model wants them.</param>
    /// <param name="system">The system prompt, or null for none.</param>
    public Conversation(InferenceEngine engine, ChatPrompts prompts, string? system = null)
    {
        ArgumentNullException.ThrowIfNull(engine);
        ArgumentNullException.ThrowIfNull(prompts);
        (Engine, _prompts, _system, _sequence) = (engine, prompts, system, engine.NewSequence());
        Reset();
    }

    /// <summary>The engine.</summary>
    public InferenceEngine Engine { get; }

    /// <summary>The tokens of all turns so far; of a conversation that is continued, none before its next turn.</summary>
    public ReadOnlySpan<int> Tokens => _sequence.Tokens;

    /// <summary>Whether something was said already.</summary>
    public bool HasBegun => _transcript.Messages.Count > (_system is null ? 0 : 1);

    /// <summary>
    /// Continues a conversation that was held before, in this process or another. Nothing is computed yet: the next turn finds in the
    /// cache what is still there.
    /// </summary>
    /// <param name="transcript">All its turns, the system prompt's included; the last one is an answer.</param>
    /// <exception cref="InvalidOperationException">This conversation has begun already.</exception>
    public void Resume(ChatTranscript transcript)
    {
        ArgumentNullException.ThrowIfNull(transcript);
        if (HasBegun)
            throw new InvalidOperationException("a conversation that has begun cannot become another one");
        _transcript = transcript;
    }

    /// <summary>Answers a message. When that fails, the conversation is as it was.</summary>
    /// <param name="message">What the user says.</param>
    /// <param name="options">How long the answer may become, and how tokens are chosen.</param>
    /// <param name="emit">Receives the answer as it comes.</param>
    /// <param name="cancellation">Ends the answer; the conversation goes on from there.</param>
    /// <exception cref="ContextExceededException">The turn does not fit.</exception>
    /// <exception cref="TemplateException">The model's chat template refuses the conversation.</exception>
    public GenerationResult Say(string message, GenerationOptions options, Action<string> emit, CancellationToken cancellation = default)
    {
        _transcript.Add("user", message);
        try
        {
            GoOn(_prompts.Encode(_transcript.Messages));
            GenerationResult result = Engine.Generate(_sequence, Retained(options), emit, cancellation);
            _transcript.Add("assistant", result.Text);
            return result;
        }
        catch
        {
            _transcript.Messages.RemoveAt(_transcript.Messages.Count - 1);
            throw;
        }
    }

    /// <summary>Forgets all turns but the system prompt.</summary>
    public void Reset()
    {
        _sequence.Clear();
        _transcript = new ChatTranscript();
        if (_system is not null)
            _transcript.Add("system", _system);
    }

    /// <summary>Gives the blocks back.</summary>
    public void Dispose() => _sequence.Dispose();

    /// <summary>
    /// A policy that does not look at the question sees what comes before it: its view is of use to the next questions, too.
    /// </summary>
    GenerationOptions Retained(GenerationOptions options) => options.Retention is { Prefix: null, Policy.IsAware: false } retention
        && _transcript.Messages.Count > 1
        ? options with { Retention = retention with { Prefix = _prompts.TokensBeforeLast(_transcript.Messages, _sequence.Tokens) } }
        : options;

    void GoOn(ReadOnlySpan<int> tokens)
    {
        if (tokens.Length >= Engine.Context) // checked before anything is appended or forgotten
            throw new ContextExceededException(tokens.Length, Engine.Context, Engine.Model.Config.Context);
        if (!tokens.StartsWith(_sequence.Tokens))
            _sequence.Clear();
        _sequence.Append(tokens[_sequence.Tokens.Length..]);
    }
}
