using System.CommandLine;
using System.Globalization;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.KvCache.Tiers.Disk;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary><c>kvasir bench kv</c>: what the tiers give, beside what memory and disk can give.</summary>
sealed class BenchKvVerb
{
    static readonly Option<string> s_model = ModelOption.Create(ModelOption.OrSynthetic, "synth:llama-3.2-1b@q8_0");
    static readonly WeightsFlag s_weights = new();
    static readonly Option<int> s_prompt = new("--prompt", "-p")
    {
        Description = "Tokens of the prompt", DefaultValueFactory = _ =>
        4096, CustomParser = Number.ParseWithin(256, 1 << 17), HelpName = "N"
    };
    static readonly Option<int?> s_threads = EngineFlags.CreateThreads();
    static readonly Option<int> s_repeat = new("--repeat", "-r")
    {
        Description = "Measured runs of each", DefaultValueFactory = _ => 3, CustomParser = Number.ParseWithin(1, 100), HelpName = "N",
    };
    static readonly Option<string?> s_folder =
        KvFlags.CreateFolder("A directory of the disk to measure; a folder in it is made and removed");
    static readonly RemoteFlags s_remote = new();
    static readonly KvTypeFlags s_types = new();
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("kv", "Measure restoring, finding and writing keys and values")
        {
            s_model, s_weights.Option, s_prompt, s_threads, s_repeat, s_folder, s_json,
        };
        s_remote.AddTo(verb);
        foreach (Option option in s_types.All)
            verb.Options.Add(option);
        verb.SetAction(Run);
        return verb;
    }

    static int Run(ParseResult parsed)
    {
        using Interrupt interrupt = new();
        try
        {
            return BenchVerb.WithModel(parsed, s_model, s_weights, path => Measure(parsed, path, interrupt.Token), interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error("interrupted", ExitCode.Failed);
        }
    }

    static int Measure(ParseResult parsed, string path, CancellationToken cancellation)
    {
        string parent = KvFlags.Folder(parsed.GetValue(s_folder))
            ?? throw new UsageException("there is no cache directory; --kv-dir names one");
        string folder = Path.Combine(parent, $"bench-{Guid.NewGuid():n}");
        int threads = parsed.GetValue(s_threads) ?? Environment.ProcessorCount, tokens = parsed.GetValue(s_prompt);
        try
        {
            PrivateFolder.Create(folder);
            using LanguageModel model = LanguageModel.Load(path, new LoadMeter());
            BenchKv bench = new(model, tokens, threads, parsed.GetValue(s_repeat), folder, cancellation)
            {
                Store = s_remote.Store(parsed),
                Stores = s_types.Apply(parsed, new EngineOptions(), model),
            };
            IReadOnlyList<KvBenchRow> rows = bench.Run();
            var report = new KvBenchReport(model.Config.Name, bench.KvType, tokens, threads, MachineIdentity.Current(), rows);
            if (parsed.GetValue(s_json))
                VerbJson.Write(report);
            else
                report.Print();
            return ExitCode.Ok;
        }
        finally
        {
            if (Directory.Exists(folder))
                Directory.Delete(folder, recursive: true);
        }
    }
}

/// <summary>What <c>bench kv --json</c> prints.</summary>
sealed record KvBenchReport(string Model, string KvType, int PromptTokens, int Threads, MachineIdentity Machine,
    IReadOnlyList<KvBenchRow> Rows)
{
    public void Print()
    {
        Terminal.Answers.WriteLine($"{Printable.Line(Model)}, keys and values in {KvType}, prompt of {PromptTokens:N0} tokens, {Threads} threads; medians, each "
            + $"transfer beside what was possible right before it");
        Table table = new Table().SimpleBorder().AddColumn("what").AddColumn(new TableColumn("value").RightAligned()).AddColumn("limit")
            .AddColumn("should be").AddColumn("");
        foreach (KvBenchRow row in Rows)
            table.AddRow(Markup.Escape(row.Name), Value(row),
                row.Limit is { } limit ? $"{limit:0.00} {row.Unit}, {row.LimitName}: {row.Share:P0}" : "",
                row.Target ?? "", row.Reached switch { true => "reached", false => "missed", null => "" });
        Terminal.Answers.Write(table);
    }

    static string Value(KvBenchRow row) => row.Unit.StartsWith("of ", StringComparison.Ordinal)
        ? string.Create(CultureInfo.InvariantCulture, $"{row.Value * 100:0.0} % {row.Unit}")
        : string.Create(CultureInfo.InvariantCulture, $"{row.Value:0.###} {row.Unit}");
}
