using System.Runtime.InteropServices;
using Kvasir.Inference;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>Answers whose rows read only some pages of a sequence that is longer than the pool, and lies on the disk.</summary>
public sealed class PagedStreamingTests : IDisposable
{
    const int Tokens = 1100;

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);
    readonly TemporaryFolder _folder = new();

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    static int[] Prompt(int length, int seed = 0) => [.. Enumerable.Range(0, length).Select(i => 260 + (i * 53 + i / 16 + seed * 7) % 700)];

    static EngineOptions Plain => new() { Context = Tokens + 64, PrefillChunk = 64, Threads = 2 };

    long Stride => new KvLayout(16, F16Codec.Instance, Kvasir.Inference.Model.KvLayers.Of(_model.Config)).StrideBytes;

    /// <summary>A pool of an eighth of the context before a host of so many blocks and a disk.</summary>
    EngineOptions Streamed(int host = 0, Action<string>? fault = null, int pool = (Tokens + 64) / 16 / 8 + 15) => Plain with
    {
        KvDeviceBytes = pool * Stride,
        KvHostBytes = host * Stride,
        KvDisk = CachedEngine.Disk(_folder["kv"]) with { FaultPoint = fault },
    };

    static Completion Start(
        InferenceEngine engine, int[] prompt, string? policy, int tokens = 20, CancellationToken cancellation = default)
    {
        RetentionOptions? retention = policy is null ? null : new RetentionOptions(RetentionPolicy.Parse(policy)!);
        return engine.Start(prompt,
            new GenerationOptions { MaxTokens = tokens, IgnoresEnds = true, WantsHidden = true, Retention = retention },
            cancellation: cancellation);
    }

    static byte[] Bits(GenerationResult result) =>
        [.. MemoryMarshal.AsBytes(result.Hidden!.Value.Span), .. MemoryMarshal.AsBytes<int>([.. result.TokenIds])];

    async Task<byte[]> Alone(int[] prompt, string? policy, int tokens = 20)
    {
        using InferenceEngine engine = new(_model, Plain);
        return Bits(await Start(engine, prompt, policy, tokens, Patience).Result);
    }

    [Theory]
    [InlineData("quest:20%,min=0", 0)]
    [InlineData("quest:120,min=0,sinks=0,recent=0", 20)]
    [InlineData("quest:20%,min=0,sinks=40", 25)]
    public async Task Bits_are_those_of_an_unlimited_pool(string policy, int host)
    {
        using InferenceEngine engine = new(_model, Streamed(host));
        for (int time = 0; time < 2; time++) // computed, and found
        {
            GenerationResult result = await Start(engine, Prompt(Tokens), policy, cancellation: Patience).Result;
            PageUse use = result.Kv.Retention!.Pages!.Use;
            Assert.InRange(use.ReadShare, 0.1, 0.25);
            Assert.InRange(use.Brought, 1, use.OnDisk - 1);
            Assert.Equal(await Alone(Prompt(Tokens), policy), Bits(result));
        }
        Assert.NotEqual(await Alone(Prompt(Tokens), policy), await Alone(Prompt(Tokens), null));
        engine.AssertNothingLeased();
    }

    [Fact]
    public async Task Fewer_bytes_are_read_than_exactly()
    {
        long[] read = new long[2];
        for (int i = 0; i < 2; i++)
        {
            using InferenceEngine engine = new(_model, Streamed() with { Speculative = SpeculativeMode.Off }); // a read for each token
            await Start(engine, Prompt(Tokens), i == 0 ? null : "quest:20%,min=0", 2, Patience).Result;
            long before = engine.Cache.Streamed!.BytesRead;
            await Start(engine, Prompt(Tokens), i == 0 ? null : "quest:20%,min=0", 60, Patience).Result;
            read[i] = engine.Cache.Streamed.BytesRead - before;
        }
        Assert.InRange(read[1], 1, read[0] / 3);
    }

    [Fact]
    public async Task Whoever_reads_pages_and_whoever_reads_everything_go_on_together()
    {
        int[][] prompts = [Prompt(Tokens), [.. Prompt(Tokens - 40), .. Prompt(40, seed: 9)], Prompt(Tokens), Prompt(90, seed: 1)];
        string?[] policies = ["quest:20%,min=0", "quest:25%,min=0", null, "quest:20%,min=0"];
        using InferenceEngine engine = new(_model, Streamed(host: 10, pool: 36));
        Completion[] completions = [.. prompts.Select((prompt, i) => Start(engine, prompt, policies[i], 12, Patience))];
        for (int i = 0; i < prompts.Length; i++)
            Assert.Equal(await Alone(prompts[i], policies[i], 12), Bits(await completions[i].Result));
        engine.AssertNothingLeased();
    }

    [Fact]
    public async Task A_page_that_the_disk_loses_is_computed_again()
    {
        bool answers = false;
        int reads = 0;
        using InferenceEngine engine = new(_model, Streamed(fault: what =>
        {
            if (what == "stream read" && Volatile.Read(ref answers) && Interlocked.Increment(ref reads) is 40 or 300)
                throw new IOException("worn out");
        }));
        Completion completion = Start(engine, Prompt(Tokens), "quest:20%,min=0", 40, Patience);
        await completion.Pieces.WaitToReadAsync(Patience);
        Volatile.Write(ref answers, true);
        Assert.Equal(await Alone(Prompt(Tokens), "quest:20%,min=0", 40), Bits(await completion.Result));
        Assert.True(reads >= 40);
        engine.AssertNothingLeased();
    }

    [Fact]
    public async Task A_disk_that_fails_for_good_ends_the_answer_with_a_reason()
    {
        bool answers = false;
        using InferenceEngine engine = new(_model, Streamed(fault: what =>
        {
            if (what == "stream read" && Volatile.Read(ref answers))
                throw new IOException("worn out");
        }));
        Completion completion = Start(engine, Prompt(Tokens), "quest:20%,min=0", 60, Patience);
        await completion.Pieces.WaitToReadAsync(Patience);
        Volatile.Write(ref answers, true);
        Assert.Contains("keeps failing", (await Assert.ThrowsAnyAsync<Exception>(() => completion.Result)).Message);
        engine.AssertNothingLeased();
    }

    [Fact]
    public async Task Cancelling_gives_everything_back()
    {
        using InferenceEngine engine = new(_model, Streamed(host: 10));
        using CancellationTokenSource cancel = new();
        Completion completion = Start(engine, Prompt(Tokens), "quest:20%,min=0", 60, cancel.Token);
        await completion.Pieces.WaitToReadAsync(Patience);
        await cancel.CancelAsync();
        await completion.Result;
        engine.AssertNothingLeased();
    }

    [Theory]
    [InlineData("quest:eps=1e-3,min=0", "a bound would have to look")]
    [InlineData("quest:90%,min=0", "expected at most 2 times the pool's")]
    public async Task What_is_not_read_by_pages_is_exact_and_says_why(string policy, string why)
    {
        using InferenceEngine engine = new(_model, Streamed());
        GenerationResult result = await Start(engine, Prompt(Tokens), policy, 4, Patience).Result;
        Assert.Contains(why, result.Kv.Retention!.WhyExact);
        Assert.Equal(await Alone(Prompt(Tokens), null, 4), Bits(result));
        engine.AssertNothingLeased();
    }
}
