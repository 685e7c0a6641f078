using System.CommandLine;
using Kvasir.Inference;
using Kvasir.Inference.Measurement;
using Kvasir.Inference.Synthesis;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir bench</c>: prefill and decode speed beside what the machine can do.</summary>
sealed class BenchVerb
{
    const string Synthetic = "synth:";

    static readonly Option<string> s_model = new("--model", "-m") { Description = "A GGUF file, 'saga', or synth:SHAPE@TYPE (see `kvasir synth --help`)", DefaultValueFactory = _ => "saga", HelpName = "MODEL" };
    static readonly Option<int> s_prompt = Count("--prompt", "-p", "Tokens to prefill; 0 skips it", 512);
    static readonly Option<int> s_generate = Count("--generate", "-n", "Tokens to decode; 0 skips it", 128);
    static readonly Option<int> s_depth = Count("--depth", "-d", "Tokens in the KV cache beforehand", 0);
    static readonly Option<int> s_threads = Count("--threads", "-t", "Compute threads", Environment.ProcessorCount);
    static readonly Option<int> s_repeat = Count("--repeat", "-r", "Measured runs of each, after one that is not", 5);
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("bench", "Measure prefill and decode beside the machine's limits") { s_model, s_prompt, s_generate, s_depth, s_threads, s_repeat, s_json };
        verb.Validators.Add(result =>
        {
            foreach ((Option<int> option, int least) in ((Option<int>, int)[])[(s_prompt, 0), (s_generate, 0), (s_depth, 0), (s_threads, 1), (s_repeat, 1)])
                if (result.GetResult(option) is { } given && !given.Errors.Any() && given.GetValue(option) is var value && (value < least || value > 1 << 20))
                    result.AddError($"{option.Name} {value}: expected {least} to {1 << 20}");
        });
        verb.SetAction(Run);
        return verb;
    }

    static Option<int> Count(string name, string alias, string description, int value) =>
        new(name, alias) { Description = description, DefaultValueFactory = _ => value, CustomParser = Number.Parse<int>, HelpName = "N" };

    static int Run(ParseResult parsed)
    {
        string name = parsed.GetRequiredValue(s_model);
        using Interrupt interrupt = new();
        try
        {
            return name.StartsWith(Synthetic, StringComparison.Ordinal)
                ? MeasureSynthetic(parsed, name[Synthetic.Length..], interrupt.Token)
                : Measure(parsed, ModelOption.Resolve(name), interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error("interrupted", CommandLineRunner.Failed);
        }
    }

    static int MeasureSynthetic(ParseResult parsed, string name, CancellationToken cancellation)
    {
        (ModelShape shape, WeightMix mix) = SynthVerb.Parse(name, "q8_0");
        string temporary = Path.Combine(Path.GetTempPath(), $"kvasir-synth-{Guid.NewGuid():n}.gguf");
        try
        {
            SynthVerb.Write(shape, mix, seed: 1, temporary, cancellation);
            return Measure(parsed, temporary, cancellation);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    static int Measure(ParseResult parsed, string path, CancellationToken cancellation)
    {
        int prompt = parsed.GetValue(s_prompt), generate = parsed.GetValue(s_generate), depth = parsed.GetValue(s_depth), threads = parsed.GetValue(s_threads);
        using LanguageModel model = LanguageModel.Load(path);
        using InferenceEngine engine = new(model, new EngineOptions { Context = depth + Math.Max(prompt, generate) + 1, Threads = threads });
        ModelCost cost = ModelCost.Of(engine);
        Terminal.Line("measuring the machine …");
        double readPeak = MachineSpeed.ReadBandwidth(threads) / 1e9, flopsPeak = MachineSpeed.Fp32Peak(threads) / 1e9;
        List<BenchRow> rows = [];
        if (prompt > 0)
            rows.Add(BenchRow.Of($"prefill {prompt} at {depth}", prompt, "GFLOP/s", cost.PrefillFlops(prompt, depth) / 1e9, flopsPeak,
                Repeat(parsed, "prefill", () => EngineSpeed.Prefill(engine, prompt, depth, cancellation))));
        if (generate > 0)
            rows.Add(BenchRow.Of($"decode {generate} at {depth}", generate, "GB/s", generate * cost.DecodeBytes(depth + (generate + 1) / 2.0) / 1e9, readPeak,
                Repeat(parsed, "decode", () => EngineSpeed.Decode(engine, generate, depth, cancellation))));
        var report = new BenchReport(model.Config.Name, threads, engine.Layout.Codec.Name, cost.WeightBytes, rows);
        if (parsed.GetValue(s_json))
            Json.Write(report);
        else
            Print(report);
        return CommandLineRunner.Ok;
    }

    static double[] Repeat(ParseResult parsed, string what, Func<double> run)
    {
        int runs = parsed.GetValue(s_repeat);
        run(); // warms the page cache, the JIT and the clock
        double[] seconds = new double[runs];
        for (int i = 0; i < runs; i++)
        {
            seconds[i] = run();
            Terminal.Line($"{what} {i + 1} of {runs}: {seconds[i]:0.000} s");
        }
        return seconds;
    }

    static void Print(BenchReport report)
    {
        Terminal.Answers.WriteLine($"{report.Model}, {report.Threads} threads, KV {report.Kv}, {ShowVerb.Size(report.WeightBytes)} of weights read per token");
        Table table = new Table().SimpleBorder().AddColumn("test");
        foreach (string column in (string[])["tok/s (median)", "min – max", "achieved", "limit", "share"])
            table.AddColumn(new TableColumn(column).RightAligned());
        foreach (BenchRow row in report.Tests)
            table.AddRow(row.Test, $"{row.TokensPerS:N1}", $"{row.LeastTokensPerS:N1} – {row.MostTokensPerS:N1}", $"{row.Achieved:N1} {row.Unit}", $"{row.Limit:N1} {row.Unit}", $"{row.Share:P0}");
        Terminal.Answers.Write(table);
    }
}

/// <summary>What <c>bench --json</c> prints. Limits are those of this machine with as many threads, measured in the same run.</summary>
sealed record BenchReport(string Model, int Threads, string Kv, long WeightBytes, IReadOnlyList<BenchRow> Tests);

/// <summary>One test: the median over the runs, and what that means in the unit of the limit (10^9 per second).</summary>
sealed record BenchRow(string Test, double TokensPerS, double LeastTokensPerS, double MostTokensPerS, double Achieved, double Limit, string Unit, double Share)
{
    public static BenchRow Of(string test, int tokens, string unit, double work, double limit, double[] seconds)
    {
        double[] sorted = [.. seconds.Order()];
        double median = sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[sorted.Length / 2 - 1] + sorted[sorted.Length / 2]) / 2;
        return new BenchRow(test, tokens / median, tokens / sorted[^1], tokens / sorted[0], work / median, limit, unit, work / median / limit);
    }
}
