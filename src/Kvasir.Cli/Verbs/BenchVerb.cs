using System.CommandLine;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Measurement.Speed;
using Kvasir.Inference.Synthesis;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir bench</c>: prefill and decode speed beside what the machine can do.</summary>
sealed class BenchVerb
{
    const string Synthetic = "synth:";

    static readonly Option<string> s_model = ModelOption.Create(ModelOption.OrSynthetic);
    static readonly WeightsFlag s_weights = new();
    static readonly Option<int> s_prompt = Count("--prompt", "-p", "Tokens to prefill; 0 skips it", 512);
    static readonly Option<int> s_generate = Count("--generate", "-n", "Tokens to decode; 0 skips it", 128);
    static readonly Option<int> s_depth = Count("--depth", "-d", "Measure with N tokens in the KV cache, too", 0);
    static readonly Option<int?> s_threads = EngineFlags.CreateThreads();
    static readonly KvTypeFlags s_types = new();
    static readonly Option<int> s_repeat = Count("--repeat", "-r", "Measured runs of each, after one that is not", 5, least: 1);
    static readonly Option<RetentionChoice> s_retain = RetainFlag.Create();
    static readonly Option<long?> s_device = Size("--kv-device", "Pool that attention reads, else room for all: the rest is streamed");
    static readonly Option<long?> s_host = Size("--kv-host", "Memory behind a smaller pool");
    static readonly Option<long?> s_disk = Size("--kv-disk", "Room behind both on the disk of --kv-dir");
    static readonly Option<string?> s_folder = KvFlags.CreateFolder("Directory on the disk that is streamed from");
    static readonly Option<string?> s_speculative = new("--speculative")
    {
        Description = "Measure instead what guessing tokens ahead brings, beside decoding without: lookup, or auto without a value",
        Arity = ArgumentArity.ZeroOrOne, HelpName = "MODE",
    };
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("bench")
        {
            s_model, s_weights.Option, s_weights.Device.Option, s_prompt, s_generate, s_depth, s_threads, s_repeat, s_retain,
            s_device, s_host, s_disk, s_folder, s_speculative, s_json,
            BenchKvVerb.Create(), BenchServeVerb.Create(),
        };
        foreach (Option option in s_types.All)
            verb.Options.Add(option);
        verb.SetAction(Run);
        return verb;
    }

    static Option<int> Count(string name, string alias, string description, int value, int least = 0) =>
        new(name, alias)
        {
            Description = description, DefaultValueFactory = _ => value, CustomParser = Number.ParseWithin(least, 1 << 20), HelpName = "N",
        };

    static Option<long?> Size(string name, string description) =>
        new(name) { Description = description, CustomParser = ByteSize.Parse, HelpName = "SIZE" };

    static DiskTierOptions? Disk(ParseResult parsed) => parsed.GetValue(s_disk) is { } bytes
        ? new DiskTierOptions { Folder = KvFlags.Folder(parsed.GetValue(s_folder)) ?? Path.GetTempPath(), MaxBytes = bytes }
        : null;

    static int Run(ParseResult parsed)
    {
        _ = Mode(parsed);
        using Interrupt interrupt = new();
        try
        {
            return WithModel(parsed, s_model, s_weights, path => Measure(parsed, path, interrupt.Token), interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error("interrupted", ExitCode.Failed);
        }
    }

    /// <summary>Measures a model's file; a synthetic model has one only for as long as it takes.</summary>
    internal static int WithModel(
        ParseResult parsed, Option<string> model, WeightsFlag weights, Func<string, int> measure, CancellationToken cancellation)
    {
        string name = parsed.GetRequiredValue(model);
        if (!name.StartsWith(Synthetic, StringComparison.Ordinal))
            return measure(ModelOption.Resolve(weights.Resolve(parsed, name)));
        if (weights.IsGiven(parsed))
            throw new UsageException($"--weights: {Formats.Printable.Line(name)} has no others than it is made with; "
                + $"expected its type in its name, such as {Synthetic}llama-3.2-1b@q8_0");
        (ModelSpec shape, WeightMix mix) = SynthVerb.Parse(name[Synthetic.Length..], "q8_0");
        string temporary = Path.Combine(Path.GetTempPath(), $"kvasir-synth-{Guid.NewGuid():n}.gguf");
        try
        {
            SynthVerb.Write(shape, mix, seed: 1, temporary, cancellation);
            return measure(temporary);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    static int Measure(ParseResult parsed, string path, CancellationToken cancellation)
    {
        int threads = parsed.GetValue(s_threads) ?? Environment.ProcessorCount,
            longest = Math.Max(parsed.GetValue(s_prompt), parsed.GetValue(s_generate));
        using LanguageModel model = LanguageModel.Load(path, new LoadMeter(), backend: s_weights.Device.Open(parsed));
        if (Mode(parsed) is { } mode)
            return MeasureDrafts(parsed, model, threads, mode, cancellation);
        BenchLimits limits = BenchLimits.Of(model, threads, cancellation);
        PeakMemory.Restart();
        using InferenceEngine engine = new(model, s_types.Apply(parsed, new()
        {
            Context = parsed.GetValue(s_depth) + longest + 1, Threads = threads, KvReuse = KvReuse.WithinSequence,
            KvRetention = parsed.GetValue(s_retain)?.Policy, KvDeviceBytes = parsed.GetValue(s_device),
            KvHostBytes = parsed.GetValue(s_host) ?? 0, KvDisk = Disk(parsed),
        }, model));
        WeightTraffic? beside = limits.Limits is null ? null : new WeightTraffic(engine);
        (BenchTest Test, BenchRun[] Runs)[] tests =
            [.. Tests(parsed, engine, beside, cancellation).Select(test => (test, Repeat(parsed, test)))];
        long peakMemory = PeakMemory.Bytes();
        limits = limits.Raised(known => known is not null && tests.Any(each => each.Test.IsFasterThan(each.Runs, known)));
        var report = new BenchReport(
            model.Config.Name, threads, engine.Layout.CodecName, model.FileBytes, ModelCost.Of(engine).WeightBytes,
            engine.Layout.BlockBytes * engine.Layout.BlocksFor(engine.Context) + engine.Room.WindowBytes,
            peakMemory, limits.Machine, limits.Limits,
            [.. tests.Select(each => each.Test.Row(each.Runs, limits.Limits))], model.Backend.Name);
        if (parsed.GetValue(s_json))
            VerbJson.Write(report);
        else
            report.Print();
        return ExitCode.Ok;
    }

    /// <summary>How tokens are to be guessed ahead; null where speeds are measured without.</summary>
    static SpeculativeMode? Mode(ParseResult parsed) => parsed.GetResult(s_speculative) is null or { Implicit: true } ? null
        : SpeculativeFlag.Find(parsed.GetValue(s_speculative) ?? "auto") is { } mode and not SpeculativeMode.Off ? mode
        : throw new UsageException($"{s_speculative.Name} {Formats.Printable.Quote(parsed.GetValue(s_speculative)!)}: "
            + "expected lookup or auto; both are measured beside off");

    static int MeasureDrafts(ParseResult parsed, LanguageModel model, int threads, SpeculativeMode mode, CancellationToken cancellation)
    {
        int prompt = parsed.GetValue(s_prompt), tokens = parsed.GetValue(s_generate);
        if (prompt < 64 || tokens < 2)
            throw new UsageException(
                $"{s_speculative.Name}: {prompt} tokens of prompt and {tokens} of answer, expected at least 64 and 2");
        using InferenceEngine engine = new(model,
            s_types.Apply(parsed, new() { Context = prompt + tokens + 32, Threads = threads }, model));
        var report = BenchDrafts.Measure(engine, threads, mode, prompt, tokens, parsed.GetValue(s_repeat), cancellation);
        if (parsed.GetValue(s_json))
            VerbJson.Write(report);
        else
            report.Print();
        return ExitCode.Ok;
    }

    /// <summary>Prefill and decode, with an empty KV cache and then with the one that was asked for.</summary>
    static IEnumerable<BenchTest> Tests(
        ParseResult parsed, InferenceEngine engine, WeightTraffic? beside, CancellationToken cancellation)
    {
        int prompt = parsed.GetValue(s_prompt), generate = parsed.GetValue(s_generate);
        foreach (int depth in ((int[])[0, parsed.GetValue(s_depth)]).Distinct())
        {
            if (prompt > 0)
                yield return BenchTest.Prefill(engine, prompt, depth, cancellation);
            if (generate > 0)
                yield return BenchTest.Decode(engine, beside, generate, depth, cancellation);
            if (generate > 0 && depth > 0 && parsed.GetValue(s_retain)?.Policy is { } policy)
                yield return BenchTest.Decode(engine, beside, generate, depth, policy, cancellation);
        }
    }

    static BenchRun[] Repeat(ParseResult parsed, BenchTest test)
    {
        int runs = parsed.GetValue(s_repeat);
        test.Run(); // warms the page cache, the JIT and the clock
        BenchRun[] done = new BenchRun[runs];
        for (int i = 0; i < runs; i++)
        {
            done[i] = test.Run();
            Terminal.Line($"{test.Name}, {i + 1} of {runs}: {done[i].Seconds:0.000} s");
        }
        return done;
    }
}
