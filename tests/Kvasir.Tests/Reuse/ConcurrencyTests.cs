using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>Many sequences at the same time, on one engine: what they share is computed once, and nobody gets another's words.</summary>
public sealed class ConcurrencyTests : IDisposable
{
    const int Sequences = 64;

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Sixty_four_requests_for_the_same_prompt_compute_it_once()
    {
        const int length = 16 * 12 + 1;
        int[] prompt = [.. Enumerable.Range(0, length).Select(i => 260 + i * 31 % 700)];
        using CachedEngine engine = new(_model, new EngineOptions { Context = 256, Sequences = Sequences, PrefillChunk = 32 });
        using var start = new Barrier(Sequences);
        GenerationResult[] results = await Task.WhenAll(Enumerable.Range(0, Sequences).Select(_ => OnThread(() =>
        {
            start.SignalAndWait();
            return Generate(engine.Engine, prompt, 4);
        })));
        Assert.Equal(length + Sequences - 1, results.Sum(result => result.ComputedTokens)); // and everybody the last token
        Assert.All(results, result => Assert.Equal(length, result.ComputedTokens + result.ReusedTokens));
        Assert.All(results, result => Assert.Equal(results[0].TokenIds, result.TokenIds));
    }

    [Fact]
    public async Task Random_sequences_with_shared_beginnings_under_eviction_answer_as_if_alone()
    {
        var random = new Random(4);
        int[][] prompts = [.. Enumerable.Range(0, 40).Select(_ => Prompt(random))];
        using InferenceEngine alone = new(_model, new EngineOptions { Context = 256, KvReuse = KvReuse.WithinSequence });
        IReadOnlyList<int>[] expected = [.. prompts.Select(prompt => Generate(alone, prompt, 6).TokenIds)];
        using CachedEngine engine = new(_model, new EngineOptions
        {
            Context = 256, Sequences = 40, PrefillChunk = 48, // room for the longest of all at once, not for what they leave
            KvHostBytes = 100 * 49152, KvDisk = CachedEngine.Disk(_folder["kv"]) with { MaxBytes = 200 * 53248 },
        });
        int reused = 0, mistakes = 0;
        await Task.WhenAll(Enumerable.Range(0, Sequences).Select(thread => OnThread(() =>
        {
            var own = new Random(thread);
            for (int round = 0; round < 8; round++)
            {
                int choice = own.Next(prompts.Length);
                GenerationResult result = Generate(engine.Engine, prompts[choice], 6, cancelEarly: own.Next(6) == 0);
                Interlocked.Add(ref reused, result.ReusedTokens);
                if (!expected[choice].Take(result.TokenIds.Count).SequenceEqual(result.TokenIds))
                    Interlocked.Increment(ref mistakes);
                if (own.Next(3) == 0)
                    engine.Drop(prompts[choice], _ => own.Next(2) == 0, deviceOnly: own.Next(2) == 0); // holes
            }
            return 0;
        })));
        Assert.Equal(0, mistakes);
        Assert.True(reused > 10_000, $"{reused} tokens reused");
        Assert.True(engine.Cache.Host!.Evictions > 0 && engine.Cache.Disk!.Blocks > 0, "no tier was under pressure");
    }

    /// <summary>One of four beginnings, another middle, an end of its own.</summary>
    static int[] Prompt(Random random)
    {
        int family = random.Next(4), branch = random.Next(3), length = random.Next(20, 230);
        return [.. Enumerable.Range(0, length)
            .Select(i => 260 + (i * 31 + family * 97 + (i > 50 ? branch * 13 : 0) + (i > 120 ? random.Next(3) : 0)) % 700)];
    }

    static GenerationResult Generate(InferenceEngine engine, int[] prompt, int tokens, bool cancelEarly = false)
    {
        using Sequence sequence = engine.NewSequence();
        sequence.Append(prompt);
        using var cancellation = new CancellationTokenSource();
        int pieces = 0;
        return engine.Generate(sequence, new GenerationOptions { MaxTokens = tokens }, _ =>
        {
            if (cancelEarly && ++pieces == 2)
                cancellation.Cancel();
        }, cancellation.Token);
    }

    static Task<T> OnThread<T>(Func<T> work) =>
        Task.Factory.StartNew(work, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
}
