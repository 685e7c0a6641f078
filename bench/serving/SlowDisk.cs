using System.CommandLine;
using System.Diagnostics;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Serving;

/// <summary>
/// <c>slow-disk</c>: what running chats feel of a disk tier whose every query takes its time, while others arrive and are looked up there.
/// The one measurement here that looks inside an engine, because no server can be asked for such a disk.
/// </summary>
sealed class SlowDisk(int chats, TimeSpan delay, TimeSpan time, int rounds)
{
    const int ChatTokens = 40, ArrivalTokens = 200, Vocabulary = 700;
    static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(100);

    static readonly Option<int> s_chats = new("--chats") { Description = "Chats that run", DefaultValueFactory = _ => 16 };
    static readonly Option<double> s_delay = new("--delay-ms")
    {
        Description = "Milliseconds that every query takes", DefaultValueFactory = _ => 50,
    };
    static readonly Option<double> s_seconds = new("--seconds") { Description = "How long a round lasts", DefaultValueFactory = _ => 10 };
    static readonly Option<int> s_rounds = new("--rounds") { Description = "Rounds of each kind, in turns", DefaultValueFactory = _ => 3 };

    int _arrivals;

    public static Command Create()
    {
        Command command = new("slow-disk", "Say what running chats feel of a disk tier whose every query takes its time")
        {
            s_chats, s_delay, s_seconds, s_rounds,
        };
        command.SetAction((parsed, interrupt) => new SlowDisk(
            parsed.GetValue(s_chats), TimeSpan.FromMilliseconds(parsed.GetValue(s_delay)), TimeSpan.FromSeconds(parsed.GetValue(s_seconds)),
            parsed.GetValue(s_rounds)).RunAsync(interrupt));
        return command;
    }

    async Task<int> RunAsync(CancellationToken interrupt)
    {
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        Console.WriteLine($"{chats} chats of saga on {Environment.ProcessorCount} processors; every {s_pace.TotalMilliseconds} ms a prompt "
            + $"of {ArrivalTokens} tokens that nobody has seen arrives");
        Console.WriteLine(
            $"{"disk",-24}{"inter-token p50, ms",22}{"p99, ms",10}{"longest, ms",14}{"arrivals",10}{"their TTFT p50, ms",20}");
        List<Round> healthy = [], slow = [];
        for (int round = 0; round < rounds; round++)
            foreach ((List<Round> results, TimeSpan wait) in ((List<Round>, TimeSpan)[])[(healthy, TimeSpan.Zero), (slow, delay)])
            {
                results.Add(await MeasureAsync(model, wait, interrupt));
                Print(wait == TimeSpan.Zero ? "as it is" : $"{wait.TotalMilliseconds} ms a query", results[^1]);
            }
        Console.WriteLine($"medians, slow over healthy: p50 {Ratio(round => round.Median):0.00}, p99 {Ratio(round => round.P99):0.00}");
        return 0;

        double Ratio(Func<Round, double> figure) => Percentile.Median(slow.Select(figure)) / Percentile.Median(healthy.Select(figure));
    }

    async Task<Round> MeasureAsync(LanguageModel model, TimeSpan wait, CancellationToken interrupt)
    {
        string folder = Directory.CreateTempSubdirectory("slow-disk").FullName;
        try
        {
            TimeSpan now = TimeSpan.Zero; // until the engine is warm
            using InferenceEngine engine = new(model, new EngineOptions
            {
                Context = 4096, Sequences = chats + 4, KvHostBytes = 64 << 20,
                KvDisk = new DiskTierOptions
                {
                    Folder = folder, MaxBytes = 256 << 20,
                    FaultPoint = step => Thread.Sleep(step == "query" ? now : TimeSpan.Zero),
                },
            });
            engine.WarmUp();
            now = wait;
            return await MeasureAsync(engine, interrupt);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    async Task<Round> MeasureAsync(InferenceEngine engine, CancellationToken interrupt)
    {
        using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
        Task<List<double>>[] talks =
            [.. Enumerable.Range(0, chats).Select(chat => Task.Run(() => TalkAsync(engine, chat, over.Token), CancellationToken.None))];
        await Task.Delay(TimeSpan.FromSeconds(1), interrupt); // they have all arrived
        List<Task<GenerationResult>> arrivals = [];
        using PeriodicTimer pace = new(s_pace);
        for (long start = Stopwatch.GetTimestamp(); Stopwatch.GetElapsedTime(start) < time; await pace.WaitForNextTickAsync(interrupt))
            arrivals.Add(engine.Start(Prompt(ArrivalTokens, 1_000_000 + _arrivals++), new GenerationOptions { MaxTokens = 1 },
                cancellation: over.Token).Result);
        await over.CancelAsync();
        double[] gaps = [.. (await Task.WhenAll(talks)).SelectMany(each => each)];
        double[] first = [.. (await Task.WhenAll(arrivals)).Where(result => result.TokenIds.Count > 0)
            .Select(result => result.TimeToFirstToken.TotalMilliseconds)];
        return new Round(Percentile.Of(gaps, 0.5), Percentile.Of(gaps, 0.99), gaps.Max(), first.Length, Percentile.Of(first, 0.5));
    }

    /// <summary>Milliseconds between tokens, those of the first second left out.</summary>
    static async Task<List<double>> TalkAsync(InferenceEngine engine, int chat, CancellationToken over)
    {
        List<double> gaps = [];
        long begun = Stopwatch.GetTimestamp();
        while (!over.IsCancellationRequested)
        {
            Completion completion = engine.Start(Prompt(ChatTokens, chat),
                new GenerationOptions { IgnoresEnds = true, MaxTokens = 4000 }, cancellation: over);
            long last = 0;
            await foreach (CompletionPiece _ in completion.Pieces.ReadAllAsync(CancellationToken.None))
            {
                if (last > 0 && Stopwatch.GetElapsedTime(begun) > TimeSpan.FromSeconds(1))
                    gaps.Add(Stopwatch.GetElapsedTime(last).TotalMilliseconds);
                last = Stopwatch.GetTimestamp();
            }
            await completion.Result;
        }
        return gaps;
    }

    static int[] Prompt(int tokens, int kind)
    {
        Random random = new(kind);
        return [.. Enumerable.Range(0, tokens).Select(_ => 260 + random.Next(Vocabulary))];
    }

    static void Print(string disk, Round round) =>
        Console.WriteLine(
            $"{disk,-24}{round.Median,22:0.00}{round.P99,10:0.00}{round.Longest,14:0.0}{round.Arrivals,10}{round.FirstTokens,20:0.0}");

    sealed record Round(double Median, double P99, double Longest, int Arrivals, double FirstTokens);
}
