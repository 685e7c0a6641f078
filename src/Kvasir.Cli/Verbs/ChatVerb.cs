using System.CommandLine;
using Kvasir.Cli.Sessions;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir chat</c>: a conversation whose earlier turns are never computed again.</summary>
sealed class ChatVerb
{
    static readonly Option<string?> s_file = new("--file", "-f")
    {
        Description = "A text file to talk about; it becomes the system prompt", HelpName = "FILE",
    };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object per answer" };
    static readonly EngineFlags s_flags = new();

    public static Command Create()
    {
        Command verb = new("chat") { s_file, s_json };
        s_flags.AddTo(verb);
        verb.Validators.Add(result => s_flags.CheckSystem(result, s_file));
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        s_flags.Llama.Tell(parsed);
        GenerationOptions options = s_flags.Generation(parsed);
        string? document = parsed.GetValue(s_file) is { } file ? TextInput.ReadDocument(file) : null;
        using Session? session = s_flags.Session(parsed);
        using LanguageModel model = s_flags.Load(parsed);
        options = options with { Sampling = s_flags.Sampling(parsed, model) };
        string? system = document is null ? s_flags.SystemPrompt(parsed)
            : PromptStyle.From(model.Metadata).SystemPrompt(document);
        using VerbEngine host = new(model, s_flags.Engine(parsed, model), s_flags.Verbose(parsed));
        InferenceEngine engine = host.Engine;
        RunVerb.WarnBeyondTraining(engine);
        s_flags.TellWhereNothingIsKept(parsed);
        using RecordedConversation conversation = new(engine, s_flags.Template.Prompts(parsed, model), session, system);
        new ChatLoop(conversation, options, parsed.GetValue(s_json), s_flags.Verbose(parsed)).Run();
        return ExitCode.Ok;
    }
}
