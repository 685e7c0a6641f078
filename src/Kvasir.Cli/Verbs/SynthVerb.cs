using System.CommandLine;
using System.Globalization;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Synthesis;
using Kvasir.Planning.Sizing;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir synth</c>: a model file of a real shape with random weights.</summary>
sealed class SynthVerb
{
    /// <summary>Names of the catalogue.</summary>
    static readonly string[] s_shapes =
    [
        "gemma-3-1b", "gemma-3-4b", "gpt-oss-20b", "llama-3-8b", "llama-3.2-1b", "mixtral-8x7b", "phi-3-mini-4k", "qwen3-0.6b",
        "qwen3-30b-a3b", "smollm2-135m",
    ];

    static readonly Argument<string> s_shape = new("SHAPE")
    {
        Description = $"One of {string.Join(", ", s_shapes)}; :LAYERS may follow, to make only the first ones, and @TYPE",
    };
    static readonly Argument<string> s_output = new("OUT") { Description = "The GGUF file to write" };
    static readonly Option<string> s_type = new Option<string>("--type")
    {
        Description = "Type of the weights", DefaultValueFactory = _ => "q8_0", HelpName = string.Join('|', SyntheticModel.Mixes),
    };
    static readonly Option<ulong> s_seed = new("--seed")
    {
        Description = "Equal seeds give equal files", DefaultValueFactory = _ => 1, CustomParser = Number.Parse<ulong>, HelpName = "S",
    };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object when done" };

    public static Command Create()
    {
        Command verb = new("synth")
        {
            s_shape, s_output, s_type, s_seed, s_json,
        };
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        (ModelSpec shape, WeightMix mix) = Parse(parsed.GetRequiredValue(s_shape), parsed.GetRequiredValue(s_type));
        string output = parsed.GetRequiredValue(s_output);
        using Interrupt interrupt = new();
        try
        {
            Write(shape, mix, parsed.GetValue(s_seed), output, interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error($"interrupted; {Printable.Line(output, 4096)} is as it was", ExitCode.Failed);
        }
        long bytes = new FileInfo(output).Length;
        if (parsed.GetValue(s_json))
            VerbJson.Write(new SynthReport(shape.Name, mix.Name, output, bytes));
        else
            Terminal.Line($"{Printable.Line(output, 4096)}: {shape.Name}, {mix.Name}, {ByteSize.Text(bytes)}");
        return ExitCode.Ok;
    }

    /// <summary>Reads <c>shape</c>, <c>shape@type</c>, or <c>shape:layers@type</c>.</summary>
    public static (ModelSpec, WeightMix) Parse(string text, string defaultType)
    {
        string[] parts = text.Split('@', 2);
        string[] shape = parts[0].Split(':', 2);
        if (!s_shapes.Contains(shape[0]))
            throw new UsageException($"shape {Printable.Quote(shape[0])}: expected one of {string.Join(", ", s_shapes)}");
        string type = parts.Length > 1 ? parts[1] : defaultType;
        return SyntheticModel.Mixes.Contains(type)
            ? (Of(ModelSpecs.WellKnown(shape[0])!, shape), WeightMix.All[type])
            : throw new UsageException($"type {Printable.Quote(type)}: expected one of {string.Join(", ", SyntheticModel.Mixes)}");
    }

    /// <summary>All layers, or the first ones where their number follows the name.</summary>
    static ModelSpec Of(ModelSpec shape, string[] parts)
    {
        if (parts.Length == 1)
            return shape;
        return int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out int layers)
            && layers >= 1 && layers <= shape.Layers.Length
            ? shape with
            {
                Name = string.Join(':', parts),
                Layers = [.. shape.Layers.Take(layers)],
                Parameters = null,
                ActiveParameters = null,
            }
            : throw new UsageException($"layers {Printable.Quote(parts[1])}: expected 1 to {shape.Layers.Length}, as {shape.Name} has");
    }

    public static void Write(ModelSpec shape, WeightMix mix, ulong seed, string output, CancellationToken cancellation) =>
        Terminal.Notes.Status().Start($"writing {shape.Name}, {mix.Name}",
            _ => new SyntheticModel(shape, mix, seed).Write(output, cancellation: cancellation));
}

sealed record SynthReport(string Shape, string Type, string Output, long OutputBytes);
