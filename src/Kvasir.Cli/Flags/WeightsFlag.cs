using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Output;
using Kvasir.Formats.Quantization;

namespace Kvasir.Cli.Flags;

/// <summary>The flag that has a model's matrices quantised when it is loaded.</summary>
sealed class WeightsFlag
{
    readonly Option<string?> _type;

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

    public Option Option => _type;

    public bool IsGiven(ParseResult parsed) => parsed.GetValue(_type) is not null;

    /// <summary>The path of the model that a name stands for, with matrices of the type.</summary>
    public string Resolve(ParseResult parsed, string name)
    {
        if (parsed.GetValue(_type) is not { } mix)
            return name;
        using Interrupt interrupt = new();
        return ConvertedModels.OfUser().Find(ModelOption.Resolve(name), WeightMix.All[mix], interrupt.Token);
    }
}
