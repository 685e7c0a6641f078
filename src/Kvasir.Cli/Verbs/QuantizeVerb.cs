using System.CommandLine;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Quantization;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir quantize</c>: a model with fewer bits per weight.</summary>
sealed class QuantizeVerb
{
    static readonly Argument<string> s_input = ModelOption.CreateArgument("IN");
    static readonly Argument<string> s_output = new("OUT")
    {
        Description = "The file to write; replaced only when the new one is complete",
    };
    static readonly Option<string> s_type = new Option<string>("--type")
    {
        Description = "Type of the matrices; q4_k_m is llama.cpp's mixture", Required = true,
        HelpName = string.Join('|', WeightMix.All.Keys),
    }.AcceptOnlyFromAmong([.. WeightMix.All.Keys]);
    static readonly Option<string[]> s_set = new("--set")
    {
        Description = "Add or replace a text entry of the metadata; may be given several times", HelpName = "KEY=VALUE",
    };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object when done" };

    public static Command Create()
    {
        Command verb = new("quantize") { s_input, s_output, s_type, s_set, s_json };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        string output = parsed.GetRequiredValue(s_output);
        Dictionary<string, string> entries = Entries(parsed.GetValue(s_set) ?? []);
        WeightMix mix = WeightMix.All[parsed.GetRequiredValue(s_type)];
        using IModelFile input = ModelFiles.Open(ModelOption.Resolve(parsed.GetRequiredValue(s_input)));
        using Interrupt interrupt = new();
        try
        {
            WithProgress(progress => Quantizer.Quantize(input, output, mix, entries, progress, interrupt.Token));
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error($"interrupted; {Printable.Line(output, 4096)} is as it was", ExitCode.Failed);
        }
        Report(new QuantizeReport(input.Path, input.Length, output, new FileInfo(output).Length, mix.Name),
            parsed.GetValue(s_json));
        return ExitCode.Ok;
    }

    static Dictionary<string, string> Entries(string[] given)
    {
        Dictionary<string, string> entries = [];
        foreach (string entry in given)
        {
            string[] parts = entry.Split('=', 2);
            if (parts is not [{ Length: > 0 } key, string value])
                throw new UsageException($"--set {entry}: expected KEY=VALUE");
            entries[key] = value;
        }
        return entries;
    }

    static void WithProgress(Action<IProgress<QuantizeProgress>> work) =>
        Terminal.Notes.Progress().HideCompleted(true).Start(context =>
        {
            ProgressTask bar = context.AddTask("quantize");
            work(new QuantizeBar(bar));
        });

    static void Report(QuantizeReport report, bool json)
    {
        if (json)
            VerbJson.Write(report);
        else
            Terminal.Line($"{Printable.Line(report.Output, 4096)}: {report.Type}, {ByteSize.Text(report.OutputBytes)} "
                + $"({report.OutputBytes / (double)report.InputBytes:P0} of {ByteSize.Text(report.InputBytes)})");
    }
}

sealed record QuantizeReport(string Input, long InputBytes, string Output, long OutputBytes, string Type);
