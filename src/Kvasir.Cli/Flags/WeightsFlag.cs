using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Output;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;

namespace Kvasir.Cli.Flags;

/// <summary>
/// The flags that say how a model's weights come into which memory: quantised, from where later starts are ready at once, and what
/// computes.
/// </summary>
sealed class WeightsFlag
{
    readonly Option<string?> _type;
    readonly Option<long?> _packed = new Setting<long?>("--packed-weights")
    {
        Description = "Most room on the disk for weights of models as kernels read them, from which later starts are ready at once and "
            + "processes share memory; 0 keeps none",
        Usual = "64GiB",
        CustomParser = ByteSize.Parse,
        HelpName = "SIZE",
    };

    readonly DeviceFlag _device = new();

    public WeightsFlag()
    {
        _type = new Setting<string?>("--weights")
        {
            Description = "Type of the matrices in memory; the model is converted once and kept in Kvasir's cache directory",
            Usual = "as the model has them",
            HelpName = string.Join('|', WeightMix.All.Keys),
        };
        _type.AcceptOnlyFromAmong([.. WeightMix.All.Keys]);
    }

    /// <summary>The type of weights.</summary>
    public Option Option => _type;

    /// <summary>What computes.</summary>
    public DeviceFlag Device => _device;

    /// <summary>All, for verbs that load the model with <see cref="Load"/>.</summary>
    public Option[] All => [_type, _packed, _device.Option];

    public bool IsGiven(ParseResult parsed) => parsed.GetValue(_type) is not null;

    /// <summary>The path of the model that a name stands for, with matrices of the type.</summary>
    public string Resolve(ParseResult parsed, string name)
    {
        if (parsed.GetValue(_type) is not { } mix)
            return name;
        using Interrupt interrupt = new();
        return ConvertedModels.OfUser().Find(ModelOption.Resolve(name), WeightMix.All[mix], interrupt.Token);
    }

    /// <summary>Loads the model of a name, with matrices of the type.</summary>
    public LanguageModel Load(ParseResult parsed, string name)
    {
        string model = Resolve(parsed, name);
        return ModelOption.Load(model, CacheFolder.Find() is { } folder && parsed.GetValue(_packed) is not 0
            ? Packed(folder, parsed.GetValue(_packed) ?? PackedWeights.DefaultMaxBytes)
            : null, () => _device.Open(parsed));
    }

    /// <summary>The user's packed weights.</summary>
    /// <param name="folder">Kvasir's cache directory.</param>
    /// <param name="maxBytes">Most room for them.</param>
    public static PackedWeights Packed(string folder, long maxBytes = PackedWeights.DefaultMaxBytes) =>
        new(Path.Combine(folder, "packed"), maxBytes, Terminal.Line);
}
