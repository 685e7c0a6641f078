using System.CommandLine;
using Kvasir.Inference;

namespace Kvasir.Cli.Verbs.Kv;

/// <summary>The flags by which a verb is told a prompt, as <c>run</c> is, and the engine that it would run on.</summary>
sealed class KvPrompt
{
    readonly Argument<string?> _prompt = TextInput.CreateArgument("PROMPT", "What would be asked; with a file it may be left out");
    readonly Option<string?> _file = new("--file", "-f") { Description = "A text file about which PROMPT asks", HelpName = "FILE" };
    readonly Option<bool> _raw = new("--raw") { Description = "The text as it is, without the model's chat format" };
    readonly EngineFlags _flags = new();

    /// <summary>A verb that takes a prompt.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="description">What it does.</param>
    /// <param name="run">Does it, on the engine on which the prompt would run, with the prompt's tokens.</param>
    /// <param name="options">Options of its own.</param>
    public static Command CreateVerb(string name, string description, Func<ParseResult, InferenceEngine, int[], int> run,
        params ReadOnlySpan<Option> options)
    {
        var prompt = new KvPrompt();
        Command verb = new(name, description) { prompt._prompt, prompt._file, prompt._raw, KvVerb.AsJson };
        foreach (Option option in options)
            verb.Options.Add(option);
        prompt._flags.AddPlaceTo(verb);
        verb.SetAction(parsed => prompt.Run(parsed, run));
        return verb;
    }

    int Run(ParseResult parsed, Func<ParseResult, InferenceEngine, int[], int> run)
    {
        _flags.Template.CheckUnused(parsed, _raw);
        Asked asked = ReadInput(parsed);
        using LanguageModel model = _flags.Load(parsed);
        int[] tokens = asked.Tokens(model.Tokenizer, _flags.Template.Style(parsed, model), () => _flags.Template.Prompts(parsed, model));
        using VerbEngine host = new(model, _flags.Engine(parsed, model));
        return run(parsed, host.Engine, tokens);
    }

    Asked ReadInput(ParseResult parsed)
    {
        (string? prompt, string? file) = (parsed.GetValue(_prompt), parsed.GetValue(_file));
        if (prompt is "-" && file is "-")
            throw new UsageException("'-' stands for both PROMPT and FILE, and there is one standard input");
        if (prompt is null && file is null)
            throw new UsageException("no prompt: give it as an argument, or a file with -f");
        string? document = file is null ? null : TextInput.ReadDocument(file);
        return new Asked(prompt is "-" ? TextInput.Read("-").TrimEnd('\r', '\n') : prompt, document,
            parsed.GetValue(_raw), _flags.SystemPrompt(parsed));
    }
}
