using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Saga;

namespace Kvasir.Cli.Flags;

/// <summary>The model that a verb works on: a file, or <c>saga</c>, which ships with Kvasir.</summary>
static class ModelOption
{
    /// <summary>What verbs that measure speed take.</summary>
    public const string OrSynthetic = "a GGUF file, a folder, 'saga', or synth:SHAPE@TYPE (see `kvasir synth --help`)";

    const string Help = "a GGUF file, a folder of Hugging Face's, or 'saga', the model that ships with Kvasir";

    /// <summary>The model, where a verb takes any.</summary>
    /// <param name="help">What it may be.</param>
    /// <param name="usual">The model that is taken where none is said.</param>
    public static Option<string> Create(string help = Help, string usual = "saga") =>
        new Setting<string>("--model", "-m") { Description = $"The model: {help}", DefaultValueFactory = _ => usual, HelpName = "MODEL" };

    public static Argument<string> CreateArgument(string name) => new(name) { Description = $"The model: {Help}" };

    /// <summary>The path that a name stands for.</summary>
    public static string Resolve(string name)
    {
        if (name == "saga")
            return SagaModel.Path;
        if (name.Length == 0)
            throw new UsageException("the model's name is empty: give a GGUF file, a folder, or 'saga'");
        return File.Exists(name) || Directory.Exists(name)
            ? name
            : throw new ModelFormatException($"{Printable.Line(name, 4096)}: no such file; a model is a GGUF file, a folder of Hugging Face's, or 'saga'");
    }

    public static LanguageModel Load(string name) => LanguageModel.Load(Resolve(name), new LoadMeter());
}
