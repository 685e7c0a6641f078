using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Stores;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Flags;

/// <summary>The model that a verb works on: a path, a name on this machine, or <c>saga</c>, which ships with Kvasir.</summary>
static class ModelOption
{
    /// <summary>What verbs that measure speed take.</summary>
    public const string OrSynthetic = "a file, a folder, a name, 'saga', or synth:SHAPE@TYPE (see `kvasir synth --help`)";

    const string Help = "a GGUF file, a folder of Hugging Face's, a name on this machine such as Qwen/Qwen3-0.6B, org/repo:Q8_0 or "
        + "ollama:qwen3:0.6b (`kvasir models` lists them), or 'saga', the model that ships with Kvasir";

    /// <summary>The flag's other names: llama.cpp's for a model of the hub mean the same here, where <c>-m</c> takes names, too.</summary>
    public static readonly string[] Aliases = ["-m", "-hf", "--hf-repo"];

    /// <summary>The model, where a verb takes any.</summary>
    /// <param name="help">What it may be.</param>
    /// <param name="usual">The model that is taken where none is said.</param>
    public static Option<string> Create(string help = Help, string usual = "saga") =>
        new Setting<string>("--model", Aliases)
        {
            Description = $"The model: {help}", DefaultValueFactory = _ => usual, HelpName = "MODEL",
        };

    public static Argument<string> CreateArgument(string name) => new(name) { Description = $"The model: {Help}" };

    /// <summary>The path that a name stands for.</summary>
    public static string Resolve(string name)
    {
        if (name == "saga")
            return SagaModel.Path;
        if (name.Length == 0)
            throw new UsageException("the model's name is empty: give a GGUF file, a folder, a name, or 'saga'");
        return Path.Exists(name)
            ? name
            : new LocalModels(ModelPlaces.OfEnvironment()).Find(name) ?? throw new ModelFormatException(
                $"{Printable.Line(name, 4096)}: no such file; a model is a file, a folder, a name of `kvasir models`, or 'saga'");
    }

    /// <summary>What is said of a model: of one on this machine, or of a well-known one.</summary>
    /// <exception cref="ModelFormatException">It is damaged, or of an unknown architecture.</exception>
    public static ModelSpec Describe(string name, bool assumeLlama = false) => ModelSpecs.Find(name == "saga" ? SagaModel.Path
        : name.Length == 0 ? throw new UsageException("the model's name is empty")
        : Path.Exists(name) ? name : new LocalModels(ModelPlaces.OfEnvironment()).FindIfHere(name) ?? name, assumeLlama);

    /// <summary>Loads the model of a name.</summary>
    /// <param name="name">The name.</param>
    /// <param name="packed">Where packed weights are kept; null for nowhere.</param>
    /// <param name="device">Opens what computes, once the model is found; null takes the CPU.</param>
    public static LanguageModel Load(string name, PackedWeights? packed = null, Func<ComputeBackend?>? device = null)
    {
        string path = Resolve(name);
        return LanguageModel.Load(path, new LoadMeter(), packed, device?.Invoke());
    }

    /// <summary>What Ollama says of a model of its own besides; null for others.</summary>
    public static OllamaModel? OfOllama(string name) => name.StartsWith(OllamaStore.Scheme, StringComparison.Ordinal) && !Path.Exists(name)
        ? new LocalModels(ModelPlaces.OfEnvironment()).Ollama.Find(name[OllamaStore.Scheme.Length..])
        : null;
}
