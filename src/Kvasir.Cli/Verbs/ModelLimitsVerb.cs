using System.CommandLine;
using System.Globalization;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Inference.Measurement;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Planning.Sizing;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir limits MODEL</c>: the least times that physics allows a model on some hardware, without running it.</summary>
static class ModelLimitsVerb
{
    public static int Run(ParseResult parsed, string name, bool json, CancellationToken cancellation)
    {
        ModelSpec model = ModelOption.Describe(name);
        BenchReport? bench = parsed.GetValue(ModelLimitsFlags.Bench) is { } file ? BenchFile.Read(file) : null;
        ModelLimitsReport report = Report(parsed, model, Find(parsed.GetValue(ModelLimitsFlags.Hardware), bench, cancellation), bench);
        if (json)
            VerbJson.Write(report);
        else
            report.Print(parsed.GetValue(ModelLimitsFlags.Markdown));
        return ExitCode.Ok;
    }

    static ModelLimitsReport Report(ParseResult parsed, ModelSpec model, Hardware device, BenchReport? bench)
    {
        (string weights, double bytesPerWeight) = Weights(parsed.GetValue(ModelLimitsFlags.Weights), model);
        ElementType kv = parsed.GetValue(ModelLimitsFlags.Kv) ?? ElementTypeOption.KvDefault;
        int devices = parsed.GetValue(ModelLimitsFlags.Devices);
        Arithmetic? math = parsed.GetValue(ModelLimitsFlags.Math);
        SpeedOfLight limits = Limits(bytesPerWeight, kv.Bytes);
        int[] positions = parsed.GetValue(ModelLimitsFlags.Position) is { Length: > 0 } given
            ? given
            : [.. ((int[])[0, Math.Min(4096, model.Context), model.Context]).Distinct()];
        FrontierPoint[] points = [.. positions.SelectMany(position => Points(limits, position, parsed.GetValue(ModelLimitsFlags.Batch)))];
        return ModelLimitsReport.Of(limits, device, devices, math ?? device.UsualFor(bytesPerWeight), weights, kv.Name, points, Reached());

        SpeedOfLight Limits(double weight, double element) =>
            new(new ModelTraffic(model, weight, element, parsed.GetValue(ModelLimitsFlags.Experts)),
                device.Times(devices), math ?? device.UsualFor(weight));

        // What was measured read the weights and KV that it says, whatever else was asked for.
        IReadOnlyList<ReachedLimit> Reached() => bench is null ? [] :
            ReachedLimit.Of(Limits((double)bench.WeightBytes / (model.ActiveParameters ?? 1),
                ElementType.Find(bench.Kv, ElementType.OfKv)!.Bytes), bench);
    }

    static IEnumerable<FrontierPoint> Points(SpeedOfLight limits, int position, int[]? batches) =>
        batches is { Length: > 0 } ? batches.Select(batch => Frontier.At(limits, batch, position)) : Frontier.Of(limits, position);

    /// <summary>What the weights are called and their size: of a file that mixes types the mean, since only their sum is known.</summary>
    static (string Name, double Bytes) Weights(ElementType? asked, ModelSpec model) => (asked, model) switch
    {
        ({ } type, _) => (type.Name, type.Bytes),
        (_, { WeightBytes: { } stored, Parameters: > 0 and var parameters }) =>
            (string.Create(CultureInfo.InvariantCulture, $"as stored ({8.0 * stored / parameters:0.##} bits)"),
                (double)stored / parameters),
        _ => ("bf16", 2),
    };

    /// <summary>Hardware by its name, by a file, or this machine.</summary>
    internal static Hardware Find(string? name, BenchReport? bench, CancellationToken cancellation)
    {
        if (name is null && bench is not null)
            return Machine($"{bench.Threads} threads of {Printable.Line(bench.Machine.Cpu)}", bench.Machine, bench.Limits!); // which the file has
        if (name is null or "this")
            return ThisMachine(cancellation);
        if (HardwareCatalogue.Find(name) is { } known)
            return known;
        return File.Exists(name) ? HardwareReader.Read(name) : throw new UsageException(
            $"--hardware {Printable.Line(name, 4096)}: no such file or device, expected 'this', a JSON file, or one of "
                + $"{HardwareCatalogue.Names}");
    }

    static Hardware ThisMachine(CancellationToken cancellation)
    {
        LimitsCache cache = Measuring.Limits(cancellation);
        ThreadLimits limits = cache.Get(Environment.ProcessorCount);
        Measuring.Warn(cache);
        return Machine("this", cache.Limits.Machine, limits);
    }

    static Hardware Machine(string name, MachineIdentity machine, ThreadLimits limits) => new()
    {
        Name = name,
        Source = $"{machine.Cpu}, measured {LimitsReport.Date(limits.Measured)}",
        MemoryBytesPerS = limits.ReadBytesPerS,
        Fp32PerS = limits.Fp32PerS,
        Int8PerS = limits.Int8PerS,
        MemoryBytes = machine.MemoryBytes,
    };
}
