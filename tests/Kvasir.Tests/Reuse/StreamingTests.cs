using System.Runtime.InteropServices;
using CsCheck;
using Kvasir.Inference;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.KvCache.Tiers;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// Sequences longer than the pool: what finds no room there is read from the host's memory, or comes from the disk in every pass. Nothing
/// but time depends on it.
/// </summary>
public sealed class StreamingTests : IDisposable
{
    const int Tokens = 1100, Decoded = 3; // over three stretches

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    static int[] Prompt(int length, int seed = 0) => [.. Enumerable.Range(0, length).Select(i => 260 + (i * 53 + i / 16 + seed * 7) % 700)];

    static EngineOptions Plain => new() { Context = Tokens + 64, PrefillChunk = 64, Threads = 2 };

    long Stride => new KvLayout(16, F16Codec.Instance, Kvasir.Inference.Model.KvLayers.Of(_model.Config)).StrideBytes;

    /// <summary>A pool of an eighth of the context before colder tiers of so many blocks.</summary>
    EngineOptions Streamed(int host, bool disk, int pool = (Tokens + 64) / 16 / 8 + 3, Action<string>? fault = null) => Plain with
    {
        KvDeviceBytes = (pool + (disk ? 12 : 0)) * Stride, // the ring takes its part
        KvHostBytes = host * Stride,
        KvDisk = disk ? CachedEngine.Disk(_folder["kv"]) with { FaultPoint = fault } : null,
    };

    /// <summary>The logits of a prompt's last tokens, computed in chunks and then one by one.</summary>
    static float[][] Logits(InferenceEngine engine, int[] prompt, int decoded = Decoded)
    {
        using Sequence sequence = engine.NewSequence();
        sequence.Append(prompt.AsSpan()[..^decoded]);
        sequence.Blocks.BeginRequest(sequence.Tokens.Length);
        sequence.Blocks.Match(sequence.Tokens);
        List<float[]> logits = [engine.Forward(sequence, null, CancellationToken.None).ToArray()];
        foreach (int token in prompt.AsSpan()[^decoded..])
        {
            sequence.Append([token]);
            logits.Add(engine.Forward(sequence, null, CancellationToken.None).ToArray());
        }
        sequence.Blocks.EndRequest();
        return [.. logits];
    }

    float[][] Unlimited(int[] prompt, EngineOptions? options = null)
    {
        using InferenceEngine engine = new(_model, (options ?? Plain) with { KvReuse = KvReuse.WithinSequence });
        return Logits(engine, prompt);
    }

    static void AssertSameBits(float[][] expected, float[][] actual, string how)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (int i = 0; i < expected.Length; i++)
            Assert.True(MemoryMarshal.AsBytes<float>(expected[i]).SequenceEqual(MemoryMarshal.AsBytes<float>(actual[i])), $"{i}: {how}");
    }

    public static TheoryData<int, bool, KvReuse> Places => new()
    {
        { 100, false, KvReuse.On }, { 0, true, KvReuse.On }, { 20, true, KvReuse.On },
        { 100, false, KvReuse.WithinSequence }, { 20, true, KvReuse.WithinSequence },
    };

    [Theory]
    [MemberData(nameof(Places))]
    public void Bits_are_those_of_an_unlimited_pool(int host, bool disk, KvReuse reuse)
    {
        int[] prompt = Prompt(Tokens);
        float[][] expected = Unlimited(prompt);
        using InferenceEngine engine = new(_model, Streamed(host, disk) with { KvReuse = reuse });
        Assert.True(engine.Cache.Device.Counts.Total < Tokens / 16 / 3, $"{engine.Cache.Device.Counts}");
        AssertSameBits(expected, Logits(engine, prompt), "computed");
        AssertSameBits(expected, Logits(engine, prompt), "found");
        Assert.Equal(disk, engine.Cache.Streamed?.Ring?.BytesRead > 0);
        engine.AssertNothingLeased();
    }

    [Fact]
    public void All_instruction_sets_give_the_same_bits()
    {
        int[] prompt = Prompt(560); // two stretches
        float[][] expected = Unlimited(prompt);
        foreach (InstructionSet set in InstructionSets.Available)
        {
            using InferenceEngine engine = new(_model, Streamed(host: 5, disk: true) with { InstructionSet = set });
            AssertSameBits(expected, Logits(engine, prompt), $"{set}");
        }
    }

    /// <summary>Whatever the sizes, the chunks, the threads and what was lost before.</summary>
    [Fact]
    public void Random_pools_tiers_chunks_and_holes_change_no_bit()
    {
        int[] prompt = Prompt(Tokens);
        float[][] expected = Unlimited(prompt);
        Gen<int> pools = Gen.Int[4, 60], hosts = Gen.Int[0, 100], chunks = Gen.Int[1, 64], some = Gen.Int[1, 3], seeds = Gen.Int[0, 9999];
        Gen.Select(pools, hosts, chunks, some, seeds).Sample((pool, host, chunk, threads, seed) =>
        {
            using InferenceEngine engine = new(_model, Streamed(host, disk: true, Math.Max(pool, chunk / 16 + 4)) with
            {
                PrefillChunk = chunk,
                Threads = threads,
            });
            string how = $"pool {pool}, host {host}, chunk {chunk}, threads {threads}, seed {seed}";
            AssertSameBits(expected, Logits(engine, prompt), how);
            Random random = new(seed);
            Assert.True(engine.Cache.Flush(TimeSpan.FromSeconds(20)));
            foreach (var key in engine.Cache.Keys(prompt))
                foreach (BlockBooks? books in (BlockBooks?[])[engine.Cache.Device, engine.Cache.Host, engine.Cache.Streamed?.File])
                    if (random.Next(3) == 0)
                        books?.TryDrop(key);
            AssertSameBits(expected, Logits(engine, prompt), $"{how}, with holes");
            engine.AssertNothingLeased();
        }, iter: 3, threads: 1);
    }

    static Completion Start(InferenceEngine engine, int[] prompt, int tokens) =>
        StartUntil(engine, prompt, tokens, TestContext.Current.CancellationToken);

    static Completion StartUntil(InferenceEngine engine, int[] prompt, int tokens, CancellationToken cancellation) =>
        engine.Start(prompt, new GenerationOptions { MaxTokens = tokens, IgnoresEnds = true, Sampling = new() { Temperature = 0 } },
            cancellation: cancellation);

    async Task<IReadOnlyList<int>> Alone(int[] prompt, int tokens)
    {
        using InferenceEngine engine = new(_model, Plain);
        return (await Start(engine, prompt, tokens).Result).TokenIds;
    }

    [Theory]
    [InlineData(200, false)]
    [InlineData(10, true)]
    public async Task Long_sequences_are_computed_with_short_ones_and_with_each_other(int host, bool disk)
    {
        int[][] prompts = [Prompt(Tokens), [.. Prompt(Tokens - 40), .. Prompt(40, seed: 9)], Prompt(90, seed: 1), Prompt(33, seed: 2)];
        using InferenceEngine engine = new(_model, Streamed(host, disk, pool: 24));
        Completion[] completions = [.. prompts.Select(prompt => Start(engine, prompt, 12))];
        for (int i = 0; i < prompts.Length; i++)
        {
            GenerationResult result = await completions[i].Result;
            Assert.Equal(await Alone(prompts[i], 12), result.TokenIds);
            Assert.Equal(i < 2, result.Kv.Streamed is not null);
            Assert.Equal(result.PromptTokens, result.Kv.Reused + result.ComputedTokens);
        }
        engine.AssertNothingLeased();
    }

    [Fact]
    public async Task What_was_streamed_is_found_by_the_next_and_goes_to_the_disk_tier()
    {
        int[] prompt = Prompt(Tokens);
        using (InferenceEngine engine = new(_model, Streamed(host: 8, disk: true)))
        {
            await Start(engine, prompt, 2).Result;
            GenerationResult again = await Start(engine, prompt, 2).Result;
            Assert.InRange(again.ComputedTokens, 1, 64);
            engine.AssertNothingLeased();
        }
        using InferenceEngine next = new(_model, Streamed(host: 8, disk: true));
        GenerationResult kept = await Start(next, prompt, 2).Result;
        Assert.InRange(kept.ComputedTokens, 1, 300);
        Assert.Equal(await Alone(prompt, 2), kept.TokenIds);
        next.AssertNothingLeased();
    }

    [Fact]
    public async Task A_block_that_the_disk_loses_is_computed_again()
    {
        int reads = 0;
        int[] prompt = Prompt(Tokens);
        using InferenceEngine engine = new(_model, Streamed(host: 0, disk: true, fault: what =>
        {
            if (what == "stream read" && Interlocked.Increment(ref reads) is 30 or 90)
                throw new IOException("worn out");
        }));
        GenerationResult result = await Start(engine, prompt, 4).Result;
        Assert.Equal(await Alone(prompt, 4), result.TokenIds);
        Assert.True(reads > 90);
        Assert.Contains("worn out", engine.Cache.Streamed!.File!.Problem);
        engine.AssertNothingLeased();
    }

    [Theory]
    [InlineData("stream read", "keeps failing")]
    [InlineData("stream write", "no room")]
    public async Task A_disk_that_fails_for_good_ends_the_request_with_a_reason_and_its_text_so_far(string step, string reason)
    {
        int steps = 0;
        using InferenceEngine engine = new(_model, Streamed(host: 0, disk: true, fault: what =>
        {
            if (what == step && Interlocked.Increment(ref steps) > (step == "stream read" ? 40 : 1)) // for good
                throw new IOException("worn out");
        }));
        Completion completion = Start(engine, Prompt(Tokens), 40);
        Exception failure = await Assert.ThrowsAnyAsync<Exception>(() => completion.Result);
        Assert.Contains(reason, failure.Message);
        Assert.Contains("worn out", failure.Message);
        Assert.Equal(await Alone(Prompt(60), 3), (await Start(engine, Prompt(60), 3).Result).TokenIds); // others go on
        engine.AssertNothingLeased();
    }

    [Fact]
    public async Task Cancelling_gives_everything_back()
    {
        // it would be over too soon with guesses
        using InferenceEngine engine = new(_model, Streamed(host: 10, disk: true) with { Speculative = SpeculativeMode.Off });
        using CancellationTokenSource cancel = new();
        Completion completion = StartUntil(engine, Prompt(Tokens), 1000, cancel.Token);
        await completion.Pieces.WaitToReadAsync(TestContext.Current.CancellationToken);
        await cancel.CancelAsync();
        Assert.Equal(FinishReason.Cancelled, (await completion.Result).FinishReason);
        engine.AssertNothingLeased();
    }

    public static TheoryData<int, int, bool, string> TooSmall => new()
    {
        { 20, 0, false, "host or disk tier" },
        { 4, 200, false, "a pass of 64 tokens" },
        { 4, 0, true, "the ring" },
        { 20, 30, false, "too few" },
    };

    [Theory]
    [MemberData(nameof(TooSmall))]
    public void What_is_too_small_is_named_before_anything_is_computed(int pool, int host, bool disk, string expected)
    {
        EngineOptions options = Streamed(host, disk) with { KvDeviceBytes = pool * Stride };
        string message = Assert.Throws<ArgumentException>(() => new InferenceEngine(_model, options)).Message;
        Assert.Contains(expected, message);
        Assert.DoesNotContain('\n', message);
    }

    [Fact]
    public void A_host_that_would_change_bits_is_not_streamed_from()
    {
        EngineOptions options = Streamed(host: 200, disk: false) with { KvHostCodec = StoredAs.Codec("q8_0") };
        string message = Assert.Throws<ArgumentException>(() => new InferenceEngine(_model, options)).Message;
        Assert.Contains("q8_0 in the host would change bits", message);
        int[] prompt = Prompt(Tokens);
        using InferenceEngine engine = new(_model, Streamed(host: 200, disk: true) with { KvHostCodec = StoredAs.Codec("q8_0") });
        AssertSameBits(Unlimited(prompt), Logits(engine, prompt), "past a lossy host");
        engine.AssertNothingLeased();
    }

    [Fact]
    public void Without_a_cache_the_pool_has_to_hold_the_context() =>
        Assert.Contains("or the cache", Assert.Throws<ArgumentException>(
            () => new InferenceEngine(_model, Streamed(200, true) with { KvReuse = KvReuse.Off })).Message);

    [Fact]
    public async Task A_view_is_not_made_of_a_prefix_of_which_a_part_is_on_the_disk()
    {
        int[] prompt = Prompt(Tokens);
        using InferenceEngine engine = new(_model, Streamed(host: 10, disk: true));
        GenerationOptions options = new()
        {
            MaxTokens = 4, IgnoresEnds = true, Sampling = new() { Temperature = 0 },
            Retention = new RetentionOptions(RetentionPolicy.Parse("replay:25%,min=64")!),
        };
        GenerationResult result = await engine.Start(prompt, options, cancellation: TestContext.Current.CancellationToken).Result;
        Assert.Contains("streamed from the disk", result.Kv.Retention!.WhyExact);
        Assert.Equal(await Alone(prompt, 4), result.TokenIds);
        engine.AssertNothingLeased();
    }

    /// <summary>What a store has comes through what room the pool has, and goes to where it is read from.</summary>
    [Theory]
    [InlineData(100, false)]
    [InlineData(0, true)]
    [InlineData(20, true)]
    public async Task What_a_store_has_of_a_sequence_longer_than_the_pool_is_brought_and_not_computed(int host, bool disk)
    {
        FakeTier? store = null;
        EngineOptions options = Streamed(host, disk) with { KvFurtherTiers = [(layout, _) => store ??= new FakeTier(layout)] };
        int[] prompt = Prompt(Tokens);
        using (InferenceEngine first = new(_model, options))
        {
            await Start(first, prompt, 2).Result;
            Assert.True(first.Cache.Flush(TimeSpan.FromSeconds(20)));
        }
        int lost = Tokens / 16 + 1 - store!.Count; // with a tail; one block may have left the pool before it was its turn to be written
        Assert.InRange(lost, 0, 1);
        using InferenceEngine next = new(_model, options with { KvDisk = disk ? CachedEngine.Disk(_folder["another"]) : null });
        next.Cache.Costs.Computed(1, TimeSpan.FromSeconds(10)); // what is found is loaded, however fast this machine computes
        next.Cache.Costs.IsFrozen = true;
        GenerationResult result = await Start(next, prompt, 4).Result;
        Assert.Equal(await Alone(prompt, 4), result.TokenIds);
        Assert.True(result.ComputedTokens >= 1 && result.ComputedTokens <= Tokens % 16 + 16 * lost,
            $"{result.ComputedTokens} computed: {string.Join(", ", result.Kv.Misses)}");
        Assert.InRange(result.Kv.Remote, (Tokens / 16 - lost) * 16, Tokens - 1);
        Assert.NotNull(result.Kv.Streamed);
        next.AssertNothingLeased();
    }

    /// <summary>Where the ring has room for one sequence at a time, they take turns, whoever came first.</summary>
    [Fact]
    public async Task A_prompt_that_comes_from_the_disk_is_not_overtaken_for_good()
    {
        using InferenceEngine engine = new(_model, Streamed(host: 0, disk: true, pool: 20) with { Context = 4000 });
        using CancellationTokenSource over = new();
        Completion[] before = [.. Enumerable.Range(1, 2).Select(seed => StartUntil(engine, Prompt(600, seed), 3000, over.Token))];
        foreach (Completion each in before)
            await each.Pieces.WaitToReadAsync(TestContext.Current.CancellationToken);
        GenerationResult result = await Start(engine, Prompt(Tokens), 2).Result;
        Assert.NotNull(result.Kv.Streamed);
        Assert.All(before, each => Assert.False(each.Result.IsCompleted));
        await over.CancelAsync();
        foreach (Completion each in before)
            Assert.Equal(FinishReason.Cancelled, (await each.Result).FinishReason);
        engine.AssertNothingLeased();
    }

    [Fact]
    public async Task What_will_leave_the_pool_is_written_before_while_others_compute()
    {
        int[] prompt = Prompt(Tokens);
        using InferenceEngine engine = new(_model, Streamed(host: 0, disk: true, pool: 30));
        GenerationResult result = await Start(engine, prompt, 4).Result;
        Assert.Equal(await Alone(prompt, 4), result.TokenIds);
        Assert.InRange(engine.Cache.Streamed!.Writer!.Written, result.Kv.Streamed!.Disk / 2, Tokens / 16);
        engine.AssertNothingLeased();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(5)]
    public async Task Whoever_ends_while_blocks_are_written_leaves_nothing_behind(int least)
    {
        int writes = 0;
        using InferenceEngine engine = new(_model, Streamed(host: 0, disk: true, fault: what =>
        {
            if (what != "stream write")
                return;
            Thread.Sleep(50);
            Interlocked.Increment(ref writes);
        }));
        using CancellationTokenSource cancel = new();
        Completion completion = StartUntil(engine, Prompt(Tokens), 1000, cancel.Token);
        Assert.True(SpinWait.SpinUntil(() => Volatile.Read(ref writes) >= least, TimeSpan.FromSeconds(20)));
        await cancel.CancelAsync();
        Assert.Equal(FinishReason.Cancelled, (await completion.Result).FinishReason);
        Assert.Equal(await Alone(Prompt(60), 3), (await Start(engine, Prompt(60), 3).Result).TokenIds);
        engine.AssertNothingLeased();
    }
}
