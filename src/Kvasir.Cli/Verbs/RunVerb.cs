using System.CommandLine;
using System.Diagnostics;
using Kvasir.Cli.Sessions;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Scheduling;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir run</c>: one prompt, one answer.</summary>
sealed class RunVerb
{
    static readonly Argument<string?> s_prompt = TextInput.CreateArgument("PROMPT",
        "What to ask or continue; without it, or as '-', standard input");
    static readonly Option<string?> s_promptFlag = new("--prompt", "-p") { Description = "PROMPT, as a flag", HelpName = "TEXT" };
    static readonly Option<string?> s_file = new("--file", "-f")
    {
        Description = "A text file about which PROMPT asks; '-' is standard input", HelpName = "FILE",
    };
    static readonly Option<bool> s_raw = new("--raw") { Description = "Send the text to the model as it is, without its chat format" };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object when done, instead of text as it comes" };
    static readonly EngineFlags s_flags = new();

    public static Command Create()
    {
        Command verb = new("run") { s_prompt, s_promptFlag, s_file, s_raw, s_json };
        s_flags.AddTo(verb);
        verb.Validators.Add(result => s_flags.CheckSystem(result, s_file));
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        s_flags.Llama.Tell(parsed);
        GenerationOptions options = s_flags.Generation(parsed);
        Asked asked = ReadInput(parsed);
        s_flags.Template.CheckUnused(parsed, s_raw);
        using Session? session = s_flags.Session(parsed);
        if (session is not null && parsed.GetValue(s_raw))
            throw new UsageException("--session is a conversation in the model's chat format, and --raw has none: choose one");
        long start = Stopwatch.GetTimestamp();
        using LanguageModel model = s_flags.Load(parsed);
        options = options with { Sampling = s_flags.Sampling(parsed, model) };
        using VerbEngine host = new(model, s_flags.Engine(parsed, model), s_flags.Verbose(parsed));
        InferenceEngine engine = host.Engine;
        TimeSpan load = Stopwatch.GetElapsedTime(start);
        WarnBeyondTraining(engine);
        s_flags.TellWhereNothingIsKept(parsed);

        bool json = parsed.GetValue(s_json);
        Action<string> emit = json ? _ => { } : Console.Out.Write;
        using Interrupt interrupt = new();
        PrefillMeter meter = new();
        options = options with { Progress = meter };
        GenerationResult result = session is null
            ? Answer(parsed, engine, asked, options, emit, interrupt.Token)
            : Continue(parsed, engine, session, asked, options, emit, interrupt.Token);
        meter.Clear();
        if (json)
            VerbJson.Write(RunReport.Of(engine, result, load));
        else
            Console.Out.WriteLine();
        if (!json)
            Terminal.Line(GenerationLine.Of(result));
        if (s_flags.Verbose(parsed))
            KvText.Say(result, model.Tokenizer);
        return result.FinishReason == FinishReason.Cancelled ? ExitCode.Failed : ExitCode.Ok;
    }

    static GenerationResult Continue(
        ParseResult parsed, InferenceEngine engine, Session session, Asked asked, GenerationOptions options, Action<string> emit,
        CancellationToken cancellation)
    {
        string? system = asked.Document is { } document ? PromptStyle.From(engine.Model.Metadata).SystemPrompt(document) : asked.System;
        using RecordedConversation conversation = new(engine, s_flags.Template.Prompts(parsed, engine.Model), session, system);
        return conversation.Say(asked.Prompt!, options, emit, cancellation);
    }

    static GenerationResult Answer(
        ParseResult parsed, InferenceEngine engine, Asked asked, GenerationOptions options, Action<string> emit,
        CancellationToken cancellation)
    {
        PromptStyle style = s_flags.Template.Style(parsed, engine.Model);
        using Sequence sequence = engine.NewSequence();
        sequence.Append(asked.Tokens(engine.Model.Tokenizer, style, () => s_flags.Template.Prompts(parsed, engine.Model)));
        if (!parsed.GetValue(s_json) && asked.IsContinued(style))
            Terminal.Beginning(asked.Prompt!);
        return engine.Generate(sequence, options with { Retention = Retention(parsed, asked, sequence, options.Retention, engine.Model) },
            emit, cancellation);
    }

    /// <summary>A policy that does not look at the question sees the document alone.</summary>
    static RetentionOptions? Retention(ParseResult parsed, Asked asked, Sequence sequence, RetentionOptions? given, LanguageModel model)
    {
        if (given is null || given.Policy.IsAware || asked.Document is null || asked.IsRaw)
            return given;
        Asked document = asked with { Prompt = null };
        int[] before = document.Tokens(
            model.Tokenizer, s_flags.Template.Style(parsed, model), () => s_flags.Template.Prompts(parsed, model));
        return given with { Prefix = before.AsSpan().CommonPrefixLength(sequence.Tokens) };
    }

    static Asked ReadInput(ParseResult parsed)
    {
        string? given = parsed.GetValue(s_prompt), file = parsed.GetValue(s_file), flag = parsed.GetValue(s_promptFlag);
        if (given is not null && flag is not null)
            throw new UsageException($"{s_promptFlag.Name} and PROMPT both give the prompt: choose one");
        given ??= flag;
        if (given is null && (file == "-" || !Console.IsInputRedirected))
            throw new UsageException("no prompt: give it as an argument or on standard input");
        if (given == "-" && file == "-")
            throw new UsageException("'-' stands for both PROMPT and FILE, and there is one standard input");
        string prompt = given is null or "-" ? TextInput.Read("-").TrimEnd('\r', '\n') : given;
        return prompt.Length > 0
            ? new Asked(prompt, file is null ? null : TextInput.ReadDocument(file), parsed.GetValue(s_raw), s_flags.SystemPrompt(parsed))
            : throw new UsageException("the prompt is empty: there is nothing to answer");
    }

    internal static void WarnBeyondTraining(InferenceEngine engine)
    {
        if (engine.Context > engine.Model.Config.Context)
            Terminal.Line($"warning: a context of {engine.Context:N0} is beyond the {engine.Model.Config.Context:N0} tokens for which this "
                + $"model was trained");
    }
}
