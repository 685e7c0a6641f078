using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli.Sessions;

/// <summary>A conversation whose turns go into a session, if there is one.</summary>
sealed class RecordedConversation : IDisposable
{
    readonly Session? _session;
    readonly string? _system;

    public RecordedConversation(InferenceEngine engine, ChatPrompts prompts, Session? session, string? system)
    {
        (_session, _system) = (session, system);
        Conversation = new Conversation(engine, prompts, system);
        if (session is { Turns.Count: > 0 })
        {
            Conversation.Resume(session.Transcript());
            if (system is not null && session.Turns[0] is { } first && (first.Role != "system" || first.Text != system))
                Terminal.Line("warning: the session goes on with the system prompt that it began with");
        }
    }

    public Conversation Conversation { get; }

    public GenerationResult Say(string message, GenerationOptions options, Action<string> emit, CancellationToken cancellation)
    {
        GenerationResult result = Conversation.Say(message, options, emit, cancellation);
        _session?.Add(_system, message, result.Text);
        return result;
    }

    public void Reset()
    {
        Conversation.Reset();
        _session?.Clear();
    }

    public void Dispose() => Conversation.Dispose();
}
