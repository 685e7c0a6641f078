using System.Runtime.InteropServices;
using Kvasir.Inference;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Scheduling;

/// <summary>
/// Many completions at the same time: nobody waits for ever, nobody gets another's words, and nobody's depend on who else is there.
/// </summary>
public sealed class SchedulerTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly List<Sequence> _sequences = [];

    public void Dispose()
    {
        _sequences.ForEach(sequence => sequence.Dispose());
        _model.Dispose();
    }

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    static int[] Prompt(int length, int kind) => [.. Enumerable.Range(0, length).Select(i => 260 + (i * 31 + kind * 97) % 700)];

    Sequence Begin(InferenceEngine engine, int[] prompt)
    {
        Sequence sequence = engine.NewSequence();
        sequence.Append(prompt);
        _sequences.Add(sequence);
        return sequence;
    }

    void End(InferenceEngine engine)
    {
        _sequences.ForEach(sequence => sequence.Dispose());
        _sequences.Clear();
        engine.AssertNothingLeased();
    }

    [Fact]
    public async Task A_completion_is_the_same_alone_and_among_others_to_the_last_bit()
    {
        using InferenceEngine engine = new(_model,
            new EngineOptions { Context = 256, Sequences = 34, KvReuse = KvReuse.WithinSequence, PrefillChunk = 96 });
        GenerationOptions options = new() { MaxTokens = 40, WantsHidden = true, IgnoresEnds = true };
        int[][] prompts = [.. Enumerable.Range(0, 33).Select(i => Prompt(20 + i * 6, i))];
        GenerationResult alone = await engine.Start(Begin(engine, prompts[7]), options, Patience).Result;
        GenerationResult[] all =
            await Task.WhenAll(prompts.Select(prompt => engine.Start(Begin(engine, prompt), options, Patience).Result));
        Assert.Equal(alone.TokenIds, all[7].TokenIds);
        Assert.True(MemoryMarshal.AsBytes(alone.Hidden!.Value.Span).SequenceEqual(MemoryMarshal.AsBytes(all[7].Hidden!.Value.Span)));
        Assert.Equal(33, all.Select(result => string.Join(' ', result.TokenIds)).Distinct().Count());
        End(engine);
    }

    [Fact]
    public async Task Whoever_generates_gets_a_token_at_every_step_of_a_long_prompt()
    {
        using InferenceEngine engine = new(_model, new EngineOptions
        {
            Context = 1024, Sequences = 2, StepTime = TimeSpan.FromTicks(1), Speculative = SpeculativeMode.Off,
        });
        engine.Cache.Computed(1000, TimeSpan.FromSeconds(1));
        Sequence talker = Begin(engine, Prompt(20, 1)), reader = Begin(engine, Prompt(900, 2));
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Patience);
        Completion talk = engine.Start(talker, new GenerationOptions { IgnoresEnds = true }, over.Token);
        Assert.True(await talk.Pieces.WaitToReadAsync(Patience));
        List<(int Done, int Said)> steps = [];
        Progress progress = new(done => steps.Add((done, talker.Tokens.Length)));
        await engine.Start(reader, new GenerationOptions { MaxTokens = 1, Progress = progress }, Patience).Result;
        await over.CancelAsync();
        await talk.Result;
        Assert.True(steps.Count >= 900 / 32, $"{steps.Count} steps");
        Assert.All(steps.Zip(steps.Skip(1)), pair => Assert.Equal(pair.First.Said + 1, pair.Second.Said));
        End(engine);
    }

    [Theory]
    [InlineData(0)]
    [InlineData(64 << 20)]
    public async Task When_the_pool_is_full_the_last_gives_way_and_goes_on_later_as_if_nothing_had_been(long hostBytes)
    {
        int[][] prompts = [.. Enumerable.Range(0, 6).Select(i => Prompt(30, i))];
        GenerationOptions options = new() { MaxTokens = 200, IgnoresEnds = true };
        using InferenceEngine roomy = new(_model, new EngineOptions { Context = 256, Sequences = 7 });
        GenerationResult[] expected =
            await Task.WhenAll(prompts.Select(prompt => roomy.Start(Begin(roomy, prompt), options, Patience).Result));
        Assert.Equal(0, roomy.Serving.Preemptions);
        End(roomy);
        using InferenceEngine tight = new(_model, new EngineOptions { Context = 256, Sequences = 2, KvHostBytes = hostBytes });
        GenerationResult[] actual =
            await Task.WhenAll(prompts.Select(prompt => tight.Start(prompt, options, cancellation: Patience).Result));
        Assert.Equal(expected.Select(result => result.Text), actual.Select(result => result.Text));
        Assert.True(tight.Serving.Preemptions > 0);
        End(tight);
    }

    [Fact]
    public async Task What_was_preempted_is_fetched_again_and_not_computed_again()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 256, Sequences = 1, KvHostBytes = 64 << 20 });
        engine.Cache.Costs.Computed(1, TimeSpan.FromSeconds(10)); // computing is slow, so that what is found is loaded
        engine.Cache.Costs.IsFrozen = true;
        GenerationOptions options = new() { MaxTokens = 200, IgnoresEnds = true };
        GenerationResult[] results =
            await Task.WhenAll(Enumerable.Range(0, 3).Select(i => engine.Start(Prompt(40, i), options, cancellation: Patience).Result));
        long preemptions = engine.Serving.Preemptions;
        Assert.True(preemptions > 0);
        Assert.InRange(engine.Serving.ComputedTokens, 3 * 239, 3 * 239 + preemptions * 2); // a last token each time, for its logits
        End(engine);
    }

    [Fact]
    public async Task What_prompts_share_is_computed_once_to_the_token_even_while_the_first_is_at_it()
    {
        const int shared = 16 * 9 + 7, own = 20;
        int[] Asks(int kind) => [.. Prompt(shared, 5), .. Prompt(own, kind)];
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 256, Sequences = 8, PrefillChunk = 48 });
        using InferenceEngine alone = new(_model, new EngineOptions { Context = 256, KvReuse = KvReuse.WithinSequence });
        GenerationOptions options = new() { MaxTokens = 0, WantsHidden = true };
        Completion[] completions = [.. Enumerable.Range(0, 6).Select(i => engine.Start(Asks(i), options, cancellation: Patience))];
        GenerationResult[] results = await Task.WhenAll(completions.Select(completion => completion.Result));
        Assert.Equal(shared + 6 * own, results.Sum(result => result.ComputedTokens));
        Assert.All(results[1..], result => Assert.Equal(shared, result.ReusedTokens));
        foreach ((int i, GenerationResult result) in results.Index())
        {
            GenerationResult expected = await alone.Start(Asks(i), options, cancellation: Patience).Result;
            Assert.True(MemoryMarshal.AsBytes(expected.Hidden!.Value.Span).SequenceEqual(MemoryMarshal.AsBytes(result.Hidden!.Value.Span)),
                $"prompt {i}");
        }
        End(engine);
    }

    [Fact]
    public async Task The_more_urgent_comes_first_and_one_too_many_is_refused()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 512, MaxRunning = 1, MaxWaiting = 2, Sequences = 4 });
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Patience);
        Completion first = engine.Start(Begin(engine, Prompt(20, 1)), new GenerationOptions { IgnoresEnds = true }, over.Token);
        Assert.True(await first.Pieces.WaitToReadAsync(Patience));
        Completion later = engine.Start(Begin(engine, Prompt(20, 2)), new GenerationOptions { MaxTokens = 3 }, Patience);
        Completion urgent = engine.Start(Begin(engine, Prompt(20, 3)),
            new GenerationOptions { MaxTokens = 200, IgnoresEnds = true, Priority = -1 }, Patience); // long, so that who is first is seen
        var refused =
            Assert.Throws<QueueFullException>(() => engine.Start(Begin(engine, Prompt(20, 4)), new GenerationOptions(), Patience));
        Assert.InRange(refused.RetryAfter, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(1));
        Assert.Equal(2, engine.Serving.Waiting);
        await over.CancelAsync();
        await later.Result;
        Assert.True(urgent.Result.IsCompletedSuccessfully);
        Assert.Equal(FinishReason.Cancelled, (await first.Result).FinishReason);
        End(engine);
    }

    [Fact]
    public async Task However_many_come_at_once_nobody_is_counted_twice()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 64, MaxRunning = 2 });
        await Task.WhenAll(Enumerable.Range(0, 4).Select(thread => Task.Run(async () =>
        {
            for (int i = 0; i < 2000; i++)
                await engine.Start(Prompt(4, thread), new GenerationOptions { MaxTokens = 0 }, cancellation: Patience).Result;
        }, Patience)));
        Assert.True(SpinWait.SpinUntil(() => engine.Serving is { Running: 0, Waiting: 0 }, TimeSpan.FromSeconds(10)), $"{engine.Serving}");
        End(engine);
    }

    [Fact]
    public async Task A_completion_of_no_tokens_is_over_at_once_and_harms_none_that_begin_as_it_does()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 256, Sequences = 8 });
        int[] prompt = Prompt(100, 1);
        // so that the others arrive together
        Completion busy = engine.Start(Prompt(200, 2), new GenerationOptions { MaxTokens = 1 }, cancellation: Patience);
        Completion[] completions = [.. Enumerable.Range(0, 8).Select(
            i => engine.Start(prompt, new GenerationOptions { MaxTokens = i % 2 * 3, IgnoresEnds = true }, cancellation: Patience))];
        GenerationResult[] results = await Task.WhenAll(completions.Select(completion => completion.Result));
        await busy.Result;
        Assert.Equal([0, 3, 0, 3, 0, 3, 0, 3], results.Select(result => result.TokenIds.Count));
        Assert.All(results, result => Assert.Equal(FinishReason.Length, result.FinishReason));
        End(engine);
    }

    [Fact]
    public async Task Disposing_the_engine_ends_what_runs_and_what_waits()
    {
        InferenceEngine engine = new(_model, new EngineOptions { Context = 512, MaxRunning = 1 });
        Sequence running = Begin(engine, Prompt(20, 1)), waiting = Begin(engine, Prompt(20, 2));
        Completion[] completions = [engine.Start(running, new GenerationOptions { IgnoresEnds = true }, Patience),
            engine.Start(waiting, new GenerationOptions(), Patience)];
        Assert.True(await completions[0].Pieces.WaitToReadAsync(Patience));
        Task ending = Task.Run(() =>
        {
            Task.WaitAll(completions.Select(completion => completion.Result).ToArray(), Patience);
            _sequences.ForEach(sequence => sequence.Dispose());
            _sequences.Clear();
        }, Patience);
        engine.StopServing();
        await ending;
        Assert.All(completions, completion => Assert.Equal(FinishReason.Cancelled, completion.Result.Result.FinishReason));
        Assert.Throws<ObjectDisposedException>(() => engine.Start(Begin(engine, Prompt(3, 1)), new GenerationOptions(), Patience));
        End(engine);
        engine.Dispose();
    }

    [Fact]
    public async Task A_sequence_is_completed_by_one_at_a_time()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 512 });
        Sequence sequence = Begin(engine, Prompt(20, 1));
        using var over = CancellationTokenSource.CreateLinkedTokenSource(Patience);
        Completion completion = engine.Start(sequence, new GenerationOptions { IgnoresEnds = true }, over.Token);
        Assert.Throws<InvalidOperationException>(() => engine.Start(sequence, new GenerationOptions(), Patience));
        await over.CancelAsync();
        await completion.Result;
        Assert.Single(
            (await engine.Start(sequence, new GenerationOptions { MaxTokens = 1, IgnoresEnds = true }, Patience).Result).TokenIds);
        End(engine);
    }

    [Fact]
    public async Task Logprobs_are_those_of_the_model_and_the_greedy_choice_is_the_likeliest()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 128 });
        Sequence sequence = Begin(engine, Prompt(20, 1));
        Completion completion = engine.Start(sequence,
            new GenerationOptions { MaxTokens = 5, TopLogprobs = 20, IgnoresEnds = true }, Patience);
        List<CompletionPiece> pieces = [];
        await foreach (CompletionPiece piece in completion.Pieces.ReadAllAsync(Patience))
            pieces.Add(piece);
        Assert.All(pieces, piece => Assert.Equal(piece.Token, piece.Logprobs!.Top[0].Token));
        Assert.All(pieces, piece => Assert.InRange(piece.Logprobs!.Top.Sum(top => Math.Exp(top.Logprob)), 0.01, 1.0001));
        sequence.Dispose();
        Sequence whole = Begin(engine, Prompt(20, 1));
        float[] logits = engine.ComputeLogits(whole)[^1];
        double total = logits.Sum(logit => Math.Exp(logit - logits.Max()));
        Assert.Equal(Math.Log(1 / total), pieces[0].Logprobs!.Logprob, 1e-4);
        End(engine);
    }

    sealed class Progress(Action<int> report) : IProgress<PrefillProgress>
    {
        public void Report(PrefillProgress value) => report(value.Done);
    }
}
