using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Cli.Sessions;

/// <summary>A conversation whose turns go into a session, if there is one.</summary>
sealed class RecordedConversation : IDisposable
{
    readonly Session? _session;
    readonly string? _system;

    public RecordedConversation(InferenceEngine engine, Session? session, string? system)
    {
        (_session, _system) = (session, system);
        ChatFormat format = ChatFormat.From(engine.Model.Tokenizer);
        Conversation = new Conversation(engine, format, system);
        if (session is { Turns.Count: > 0 })
        {
            if (!session.Resume(Conversation, format))
                Terminal.Line("warning: this session was held with another model: its texts are read anew, and its transcript will not grow");
            if (system is not null && session.Turns[0] is { } first && (first.Role != "system" || first.Text != system))
                Terminal.Line("warning: the session goes on with the system prompt that it began with");
        }
    }

    public Conversation Conversation { get; }

    public GenerationResult Say(string message, GenerationOptions options, Action<string> emit, CancellationToken cancellation)
    {
        int before = Conversation.Tokens;
        GenerationResult result = Conversation.Say(message, options, emit, cancellation);
        _session?.Add(Conversation, before, result.PromptTokens, _system, message, result.Text);
        return result;
    }

    public void Reset()
    {
        Conversation.Reset();
        _session?.Clear();
    }

    public void Dispose() => Conversation.Dispose();
}
