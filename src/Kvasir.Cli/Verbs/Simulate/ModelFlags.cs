using System.CommandLine;
using System.Globalization;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Planning.Simulation;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs.Simulate;

/// <summary>
/// The flags that say which model is served on what: from them follow the size of keys and values and the speed of prefill.
/// </summary>
sealed class ModelFlags
{
    /// <summary>Shares of the limits that good engines reach.</summary>
    const double UsualShare = 0.5;

    readonly Option<string?> _model = new("--model", ModelOption.Aliases)
    {
        Description = "The model that is served: a GGUF file, a config.json, a name on this machine, or a well-known model "
            + "such as llama-3-8b",
        HelpName = "MODEL",
    };
    readonly Option<string?> _hardware = new("--hardware")
    {
        Description = $"What it is served on: 'this' machine, a JSON file, or {HardwareCatalogue.Names}", HelpName = "NAME|FILE",
    };
    readonly Option<int> _devices = new("--devices")
    {
        Description = "Devices in a machine, tensor parallel: bandwidth, arithmetic and memory add up", DefaultValueFactory = _ => 1,
        CustomParser = Number.ParseWithin(1, 1024), HelpName = "N",
    };
    readonly Option<string?> _weights = new("--weights")
    {
        Description = "How the weights are stored, such as q4_0, or their size, such as 20GiB; without it, as the file has them, or bf16",
        HelpName = "TYPE|SIZE",
    };
    readonly KvTypeOptions _kv = ElementTypeOption.ForKv("How keys and values are stored; without it, f16");
    readonly RetentionFlags _retention = new();
    readonly Option<double> _share = new("--efficiency")
    {
        Description = "Share of the hardware's limits that the engine reaches", DefaultValueFactory = _ => UsualShare,
        CustomParser = ParseShare, HelpName = "0…1",
    };

    public void AddTo(Command verb)
    {
        foreach (Option option in (Option[])[_model, _hardware, _devices, _weights, .. _kv.All, .. _retention.All, _share])
            verb.Options.Add(option);
    }

    /// <summary>What a machine is; null without a model.</summary>
    public ServedModel? Parse(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(_model) is not { } name)
        {
            _retention.Parse(parsed, size: null);
            return parsed.GetValue(_hardware) is null ? null : throw new UsageException("--hardware: expected a --model that it serves");
        }
        if (parsed.GetValue(_hardware) is not { } hardware)
            throw new UsageException("--model: expected --hardware that it is served on, such as h100-sxm or this");
        ModelSpec spec = ModelOption.Describe(name);
        WeightSize weights = WeightSize.Of(spec, parsed.GetValue(_weights))
            ?? throw new UsageException($"--model {Printable.Line(name)}: its parameters are not known; --weights says their size");
        int devices = parsed.GetValue(_devices);
        Hardware machine = ModelLimitsVerb.Find(hardware, null, cancellation).Times(devices);
        KvSize size = new(spec, _kv.Read(parsed));
        double bytesPerWeight = (double)weights.Bytes / (spec.Parameters ?? spec.ActiveParameters ?? 1), share = parsed.GetValue(_share);
        SpeedOfLight limits = new(new ModelTraffic(spec, bytesPerWeight, size.BytesPerElement), machine, machine.UsualFor(bytesPerWeight));
        var shape = MachineShape.Of(limits, size, weights.Bytes, share);
        if (shape.RoomBytes == 0)
            throw new UsageException($"--hardware {Printable.Line(hardware)}: {ByteSize.Text(weights.Bytes)} of weights leave no room in "
                + $"{ByteSize.Text((long)machine.MemoryBytes!)}; expected more --devices, or smaller --weights");
        SimulatedRetention? retention = _retention.Parse(parsed, size);
        RetainedShape? retained = retention is null ? null : shape.Retained(limits, retention, share);
        return new ServedModel(shape, string.Create(CultureInfo.InvariantCulture,
            $"{Printable.Line(spec.Name)}, {ByteSize.Text(weights.Bytes)} of weights ({weights.How}), on {devices} × "
                + $"{Printable.Line(machine.Name)} at {share:0.##} of its limits: {1 / shape.Prefill.Seconds(0, 1):N0} tok/s of prefill at "
                + $"the start of a prompt, {shape.SecondsPerOutputToken * 1e3:0.#} ms between tokens{Windows(size)}"),
            retention is null ? null : retention with { SecondsPerOutputToken = retained!.SecondsPerOutputToken }, retained);
    }

    /// <summary>What of layers with windows is not simulated, said wherever the model is.</summary>
    static string Windows(KvSize size) => size.WindowBlocks == 0 ? ""
        : $"; not simulated: its layers with windows, {ByteSize.Text(size.WindowBlocks * size.WindowBlockBytes)} of each conversation in "
            + "every tier beside what is counted here, without which a prefix is computed again though its other layers are found";

    static double ParseShare(System.CommandLine.Parsing.ArgumentResult result)
    {
        string text = result.Tokens[^1].Value;
        if (double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value) && value is > 0 and <= 1)
            return value;
        result.AddError($"--efficiency {Printable.Quote(text)}: expected a number above 0 and at most 1");
        return 1;
    }
}

/// <summary>A model on a machine.</summary>
/// <param name="Shape">What the machine is.</param>
/// <param name="Words">In words, since it is assumed.</param>
/// <param name="Retention">What is kept of prompts; null for everything.</param>
/// <param name="Retained">What the machine is behind views; null without a policy.</param>
sealed record ServedModel(MachineShape Shape, string Words, SimulatedRetention? Retention, RetainedShape? Retained)
{
    /// <summary>What the policy changes.</summary>
    public RetentionSummary? Summary => Retention is null ? null : RetentionSummary.Of(Retention, Retained!, Shape);
}
