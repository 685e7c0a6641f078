using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Cli.Output;
using Kvasir.Formats;
using Kvasir.Formats.Quantization;

namespace Kvasir.Cli.Flags;

/// <summary>The flag that has a model's matrices quantised when it is loaded.</summary>
sealed class WeightsFlag
{
    static readonly string[] s_types = [.. Enum.GetValues<TensorType>().Where(RowFormat.CanQuantize).Select(type => type.DisplayName())];

    readonly Option<string?> _type;

    public WeightsFlag()
    {
        _type = new Setting<string?>("--weights")
        {
            Description = "Type of the matrices in memory; the model is converted once and kept in Kvasir's cache directory",
            Usual = "as the model has them",
            HelpName = string.Join('|', s_types),
        };
        _type.AcceptOnlyFromAmong(s_types);
    }

    public Option Option => _type;

    /// <summary>The path of the model that a name stands for, with matrices of the type.</summary>
    public string Resolve(ParseResult parsed, string name)
    {
        if (parsed.GetValue(_type) is not { } text || !TensorTypes.TryParse(text, out TensorType type))
            return name;
        using Interrupt interrupt = new();
        return ConvertedModels.Find(ModelOption.Resolve(name), type, interrupt.Token);
    }
}
