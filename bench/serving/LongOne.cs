using System.CommandLine;
using System.Diagnostics;
using Kvasir.Formats;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Tiers.Disk;

namespace Kvasir.Serving;

/// <summary>
/// <c>long-one</c>: what short answers feel of one prompt that is far longer than the pool and comes from the disk in every pass, while it
/// is computed and while it is answered.
/// </summary>
sealed class LongOne(LanguageModel model, int chats, int depth, long pool, int rounds)
{
    const int ChatTokens = 40, AnswerTokens = 64, LongAnswer = 100_000;

    static readonly Option<string?> s_model = new("--model", "-m") { Description = "A GGUF file; without it, saga" };
    static readonly Option<int> s_chats = new("--chats") { Description = "Short answers that run", DefaultValueFactory = _ => 16 };
    static readonly Option<int> s_depth = new("--depth", "-d") { Description = "Tokens of the long prompt", DefaultValueFactory = _ => 16_384 };
    static readonly Option<int> s_pool = new("--pool") { Description = "MiB of the pool", DefaultValueFactory = _ => 8 };
    static readonly Option<int> s_rounds = new("--rounds") { Description = "Rounds of each kind, in turns", DefaultValueFactory = _ => 3 };

    public static Command Create()
    {
        Command command = new("long-one", "Say what short answers feel of one that is streamed from the disk")
        {
            s_model, s_chats, s_depth, s_pool, s_rounds,
        };
        command.SetAction(async (parsed, interrupt) =>
        {
            using LanguageModel model = LanguageModel.Load(parsed.GetValue(s_model) ?? SagaModel.Path);
            return await new LongOne(model, parsed.GetValue(s_chats), parsed.GetValue(s_depth), (long)parsed.GetValue(s_pool) << 20,
                parsed.GetValue(s_rounds)).RunAsync(interrupt);
        });
        return command;
    }

    async Task<int> RunAsync(CancellationToken interrupt)
    {
        string folder = Directory.CreateTempSubdirectory("long-one").FullName;
        try
        {
            using InferenceEngine engine = new(model, new EngineOptions
            {
                Context = depth + LongAnswer, KvDeviceBytes = pool, KvDisk = new DiskTierOptions { Folder = folder, MaxBytes = 32L << 30 },
            });
            engine.WarmUp();
            Console.WriteLine($"{chats} answers of {AnswerTokens} tokens at a time on {Environment.ProcessorCount} processors, pool "
                + $"{pool >> 20} MiB; the long prompt has {depth:N0} tokens");
            Console.WriteLine($"{"beside",-36}{"inter-token p50, ms",22}{"p95, ms",10}{"longest, ms",14}{"tokens",10}");
            double[] alone = [], computed = [], answered = [];
            for (int round = 0; round < rounds; round++)
            {
                alone = [.. alone, .. Print("nothing", await ChatAsync(engine, () => false, interrupt))];
                using CancellationTokenSource over = CancellationTokenSource.CreateLinkedTokenSource(interrupt);
                Completion huge = engine.Start(Prompt(depth, 1_000_000 + round),
                    new GenerationOptions { MaxTokens = LongAnswer - 1, IgnoresEnds = true }, cancellation: over.Token);
                Task<bool> first = huge.Pieces.WaitToReadAsync(interrupt).AsTask();
                long start = Stopwatch.GetTimestamp();
                computed = [.. computed, .. Print("the long prompt, being computed", await ChatAsync(engine, () => !first.IsCompleted, interrupt))];
                await first;
                Console.WriteLine($"  first token after {Stopwatch.GetElapsedTime(start).TotalSeconds:0.0} s");
                answered = [.. answered, .. Print("its answer", await ChatAsync(engine, () => false, interrupt))];
                await over.CancelAsync();
                if ((await huge.Result).Kv.Streamed is { } use)
                    Console.WriteLine($"  {StreamText.Of(use, 0, engine.Foresee(depth))}");
            }
            Console.WriteLine($"p95 beside it over p95 alone: {Over(computed):0.00} while it is computed, {Over(answered):0.00} while it is answered");
            return 0;

            double Over(double[] gaps) => Percentile.Of(gaps, 0.95) / Percentile.Of(alone, 0.95);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    /// <summary>Milliseconds between the tokens of short answers, once, and again for as long as something lasts.</summary>
    async Task<double[]> ChatAsync(InferenceEngine engine, Func<bool> lasts, CancellationToken interrupt)
    {
        List<double>[] gaps = await Task.WhenAll(Enumerable.Range(0, chats).Select(chat => Task.Run(async () =>
        {
            List<double> between = [];
            do
            {
                long last = 0;
                Completion completion = engine.Start(Prompt(ChatTokens, chat),
                    new GenerationOptions { MaxTokens = AnswerTokens, IgnoresEnds = true }, cancellation: interrupt);
                await foreach (CompletionPiece _ in completion.Pieces.ReadAllAsync(interrupt))
                {
                    if (last > 0)
                        between.Add(Stopwatch.GetElapsedTime(last).TotalMilliseconds);
                    last = Stopwatch.GetTimestamp();
                }
                await completion.Result;
            }
            while (lasts());
            return between;
        }, interrupt)));
        return [.. gaps.SelectMany(each => each)];
    }

    static int[] Prompt(int tokens, int kind)
    {
        Random random = new(kind);
        return [.. Enumerable.Range(0, tokens).Select(_ => 260 + random.Next(700))];
    }

    static double[] Print(string beside, double[] gaps)
    {
        Console.WriteLine(
            $"{beside,-36}{Percentile.Of(gaps, 0.5),22:0.00}{Percentile.Of(gaps, 0.95),10:0.00}{gaps.Max(),14:0.0}{gaps.Length,10}");
        return gaps;
    }
}
