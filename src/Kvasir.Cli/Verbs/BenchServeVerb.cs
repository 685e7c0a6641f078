using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Speed;
using Kvasir.Server;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>
/// <c>kvasir bench serve</c>: what asking over HTTP costs beside asking the engine itself, both in this process and in turns, so
/// that both meet the same machine.
/// </summary>
static class BenchServeVerb
{
    const int PromptTokens = 16;
    const double Target = 0.03;

    static readonly Option<string> s_model = ModelOption.Create(ModelOption.OrSynthetic);
    static readonly WeightsFlag s_weights = new();
    static readonly Option<int> s_generate = new("--generate", "-n")
    {
        Description = "Tokens of an answer", DefaultValueFactory = _ => 256, CustomParser = Number.ParseWithin(16, 1 << 16), HelpName = "N",
    };
    static readonly Option<int?> s_threads = EngineFlags.CreateThreads();
    static readonly Option<int> s_repeat = new("--repeat", "-r")
    {
        Description = "Rounds, after one that is not measured", DefaultValueFactory = _ => 15,
        CustomParser = Number.ParseWithin(1, 1000), HelpName = "N",
    };
    static readonly KvTypeFlags s_types = new();
    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    public static Command Create()
    {
        Command verb = new("serve", "Measure what one client's answers cost over HTTP beside the engine alone")
        {
            s_model, s_weights.Option, s_generate, s_threads, s_repeat, s_json,
        };
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
            return BenchVerb.WithModel(parsed, s_model, s_weights,
                path => Measure(parsed, path, interrupt.Token).GetAwaiter().GetResult(), interrupt.Token);
        }
        catch (OperationCanceledException)
        {
            return Terminal.Error("interrupted", ExitCode.Failed);
        }
    }

    static async Task<int> Measure(ParseResult parsed, string path, CancellationToken cancellation)
    {
        int tokens = parsed.GetValue(s_generate), threads = parsed.GetValue(s_threads) ?? Environment.ProcessorCount,
            rounds = parsed.GetValue(s_repeat);
        using LanguageModel model = LanguageModel.Load(path, new LoadMeter());
        using InferenceEngine engine = new(model, s_types.Apply(parsed,
            new EngineOptions { Context = PromptTokens + tokens + 1, Threads = threads, Sequences = 4 }, model));
        engine.WarmUp();
        await using KvasirServer server = new(engine, new ServerOptions { Port = 0 });
        await server.Start(cancellation);
        using HttpClient client = new() { BaseAddress = new Uri(server.Address) };
        double[][] seconds = [new double[rounds], new double[rounds], new double[rounds]];
        for (int round = -1; round < rounds; round++)
        {
            double alone = Alone(engine, tokens, cancellation);
            (double Whole, double Stream) asked = (await Ask(client, model, tokens, 2 * round, isStream: false, cancellation),
                await Ask(client, model, tokens, 2 * round + 1, isStream: true, cancellation));
            if (round < 0)
                continue;
            (seconds[0][round], seconds[1][round], seconds[2][round]) = (alone, asked.Whole, asked.Stream);
            Terminal.Line($"{round + 1} of {rounds}: {tokens / alone:0} tok/s alone, {tokens / asked.Whole:0} whole, "
                + $"{tokens / asked.Stream:0} streamed");
        }
        ServeBenchReport report = new(model.Config.Name, threads, tokens, rounds, tokens / Percentile.Median(seconds[0]),
            [Row("whole answer", seconds[0], seconds[1]), Row("streamed answer", seconds[0], seconds[2])]);
        if (parsed.GetValue(s_json))
            VerbJson.Write(report);
        else
            report.Print();
        return ExitCode.Ok;

        ServeBenchRow Row(string name, double[] alone, double[] asked)
        {
            double[] overheads = [.. alone.Zip(asked, (engine, server) => server / engine - 1).Order()];
            double median = Percentile.Median(overheads);
            return new ServeBenchRow(name, tokens / Percentile.Median(asked), median, Percentile.OfSorted(overheads, 0.25),
                Percentile.OfSorted(overheads, 0.75), Target, median < Target);
        }
    }

    /// <summary>Seconds to compute the prompt and the tokens after it.</summary>
    static double Alone(InferenceEngine engine, int tokens, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        EngineSpeed.Decode(engine, tokens, PromptTokens, beside: null, cancellation);
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Seconds from the question to the end of its answer; no prompt begins as another does.</summary>
    static async Task<double> Ask(HttpClient client, LanguageModel model, int tokens, int kind,
        bool isStream, CancellationToken cancellation)
    {
        IEnumerable<int> prompt = Enumerable.Range(0, PromptTokens).Select(i => (i * 31 + (kind + 2) * 97) % model.Config.Vocabulary);
        string body = string.Create(CultureInfo.InvariantCulture, $$"""{"prompt":[{{string.Join(',', prompt)}}],"max_tokens":{{tokens + 1}},"temperature":0,"ignore_eos":true,"stream":{{(isStream ? "true" : "false")}}}""");
        using HttpRequestMessage request = new(HttpMethod.Post, "/v1/completions")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        long start = Stopwatch.GetTimestamp();
        using HttpResponseMessage response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellation);
        response.EnsureSuccessStatusCode();
        await using Stream answer = await response.Content.ReadAsStreamAsync(cancellation);
        byte[] buffer = new byte[1 << 16];
        while (await answer.ReadAsync(buffer, cancellation) > 0)
            ;
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}

/// <summary>
/// Answers of one kind: tokens a second, and how much longer they took than the engine alone, as the median and quartiles of the rounds.
/// </summary>
sealed record ServeBenchRow(string Name, double TokensPerS, double Overhead, double LowerQuartile,
    double UpperQuartile, double Target, bool Reached);

/// <summary>What <c>bench serve --json</c> prints.</summary>
sealed record ServeBenchReport(string Model, int Threads, int Tokens, int Rounds, double EngineTokensPerS,
    IReadOnlyList<ServeBenchRow> Rows)
{
    public void Print()
    {
        Terminal.Answers.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Model}, {Threads} threads, answers of {Tokens} tokens, "
            + $"medians of {Rounds} rounds; the engine alone: {EngineTokensPerS:0} tok/s"));
        Table table = new Table().SimpleBorder().AddColumn("what").AddColumn("tok/s").AddColumn("over the engine").AddColumn("quartiles")
            .AddColumn("should be").AddColumn("");
        foreach (ServeBenchRow row in Rows)
            table.AddRow(row.Name, $"{row.TokensPerS:0}", $"{row.Overhead:P1}", $"{row.LowerQuartile:P1} to {row.UpperQuartile:P1}",
                $"< {row.Target:P0}", row.Reached ? "reached" : "missed");
        Terminal.Answers.Write(table);
    }
}
