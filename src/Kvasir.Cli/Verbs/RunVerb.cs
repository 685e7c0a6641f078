using System.CommandLine;
using System.Diagnostics;
using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir run</c>: one prompt, one answer.</summary>
sealed class RunVerb
{
    static readonly Argument<string?> s_prompt = TextInput.CreateArgument("PROMPT", "What to ask or continue; without it, or as '-', standard input");
    static readonly Option<string?> s_file = new("--file", "-f") { Description = "A text file about which PROMPT asks; '-' is standard input", HelpName = "FILE" };
    static readonly Option<bool> s_raw = new("--raw") { Description = "Send the text to the model as it is, without its chat format" };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object when done, instead of text as it comes" };
    static readonly EngineFlags s_flags = new();

    public static Command Create()
    {
        Command verb = new("run", "Answer a prompt, or a question about a file") { s_prompt, s_file, s_raw, s_json };
        s_flags.AddTo(verb);
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        GenerationOptions options = s_flags.Generation(parsed);
        (string prompt, string? document) = ReadInput(parsed);
        long start = Stopwatch.GetTimestamp();
        using LanguageModel model = ModelOption.Load(s_flags.ModelName(parsed));
        int[] tokens = Tokens(model, prompt, document, parsed.GetValue(s_raw));
        using InferenceEngine engine = new(model, s_flags.Engine(parsed));
        TimeSpan load = Stopwatch.GetElapsedTime(start);
        WarnBeyondTraining(engine);

        bool json = parsed.GetValue(s_json);
        using Sequence sequence = engine.NewSequence();
        sequence.Append(tokens);
        if (!json && document is null && (parsed.GetValue(s_raw) || model.Prompt.Continues))
            Terminal.Beginning(prompt);
        using Interrupt interrupt = new();
        PrefillMeter meter = new();
        GenerationResult result = engine.Generate(sequence, options with { Progress = meter }, json ? _ => { } : Console.Out.Write, interrupt.Token);
        meter.Clear();
        if (json)
            Json.Write(RunReport.Of(engine, result, load));
        else
        {
            Console.Out.WriteLine();
            Terminal.Line(GenerationLine.Of(result));
        }
        return result.FinishReason == FinishReason.Cancelled ? CommandLineRunner.Failed : CommandLineRunner.Ok;
    }

    static (string Prompt, string? Document) ReadInput(ParseResult parsed)
    {
        string? given = parsed.GetValue(s_prompt), file = parsed.GetValue(s_file);
        if (given is null && (file == "-" || !Console.IsInputRedirected))
            throw new UsageException("no prompt: give it as an argument or on standard input");
        if (given == "-" && file == "-")
            throw new UsageException("'-' stands for both PROMPT and FILE, and there is one standard input");
        string prompt = given is null or "-" ? TextInput.Read("-").TrimEnd('\r', '\n') : given;
        return prompt.Length > 0
            ? (prompt, file is null ? null : TextInput.Read(file))
            : throw new UsageException("the prompt is empty: there is nothing to answer");
    }

    static int[] Tokens(LanguageModel model, string prompt, string? document, bool raw) => (document, raw) switch
    {
        (null, true) => model.Prompt.Raw(prompt),
        (null, false) => model.Prompt.Bare(prompt),
        (_, true) => model.Prompt.Raw($"{document}\n{prompt}"),
        (_, false) => model.Prompt.About(document, prompt),
    };

    internal static void WarnBeyondTraining(InferenceEngine engine)
    {
        if (engine.Context > engine.Model.Config.Context)
            Terminal.Line($"warning: a context of {engine.Context:N0} is beyond the {engine.Model.Config.Context:N0} tokens for which this model was trained");
    }
}
