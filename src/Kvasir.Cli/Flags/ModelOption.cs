using System.CommandLine;
using Kvasir.Inference;
using Kvasir.Formats;
using Kvasir.Inference.Saga;

namespace Kvasir.Cli.Flags;

/// <summary>The model that a verb works on: a file, or <c>saga</c>, which ships with Kvasir.</summary>
static class ModelOption
{
    const string Help = "a GGUF file, or 'saga', the model that ships with Kvasir";

    public static Option<string> Create() => new("--model", "-m") { Description = $"The model: {Help}", DefaultValueFactory = _ => "saga", HelpName = "MODEL" };

    public static Argument<string> CreateArgument(string name) => new(name) { Description = $"The model: {Help}" };

    /// <summary>The path that a name stands for.</summary>
    public static string Resolve(string name)
    {
        if (name == "saga")
            return SagaModel.Path;
        if (name.Length == 0)
            throw new UsageException("the model's name is empty: give a GGUF file, or 'saga'");
        return File.Exists(name) || Directory.Exists(name)
            ? name
            : throw new ModelFormatException($"{Printable.Line(name, 4096)}: no such file; a model is a GGUF file, or 'saga'");
    }

    public static LanguageModel Load(string name) => LanguageModel.Load(Resolve(name), new LoadMeter());
}
