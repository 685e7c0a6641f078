using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Model;

namespace Kvasir.Tests.Retention;

/// <summary>Answers whose rows read only some pages: the prompt stays exact, and what is not stays with its answer.</summary>
public sealed class PagedReadingTests : IDisposable
{
    static readonly SagaDocument s_document = new SagaGenerator(5).Document(40);
    static readonly RetentionPolicy s_half = RetentionPolicy.Parse("quest:50%,min=0")!, s_few = RetentionPolicy.Parse("quest:15%,min=0")!;

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);

    public void Dispose() => _model.Dispose();

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    static EngineOptions Small => new() { Context = 1024, Sequences = 4 };

    int[] Prompt(int fact) => new ChatPrompts(_model.Tokenizer).Encode([
        new JsonObject { ["role"] = "system", ["content"] = "Answer from this saga.\n" + s_document.Text },
        new JsonObject { ["role"] = "user", ["content"] = s_document.Facts[fact].Questions[0].Text },
    ]);

    static GenerationOptions Options(RetentionPolicy? policy) => new()
    {
        MaxTokens = 24, IgnoresEnds = true, WantsHidden = true, Retention = policy is null ? null : new RetentionOptions(policy),
    };

    async Task<GenerationResult> Ask(InferenceEngine engine, int fact, RetentionPolicy? policy) =>
        await engine.Start(Prompt(fact), Options(policy), cancellation: Patience).Result;

    static byte[] Bits(GenerationResult result) =>
        [.. MemoryMarshal.AsBytes(result.Hidden!.Value.Span), .. MemoryMarshal.AsBytes<int>([.. result.TokenIds])];

    [Fact]
    public async Task Half_of_the_pages_answer_nearly_all_questions()
    {
        using InferenceEngine engine = new(_model, Small);
        GenerationResult[] answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => engine.Start(Prompt(i * 3),
            new GenerationOptions { MaxTokens = 24, Retention = new RetentionOptions(s_half) }, cancellation: Patience).Result));
        Assert.True(answers.Where((answer, i) => answer.Text.Trim() == s_document.Facts[i * 3].Questions[0].Answer).Count() >= 10);
        Assert.All(answers, answer => Assert.InRange(answer.Kv.Retention!.Pages!.Use.ReadShare, 0.4, 0.53));
        engine.AssertNothingLeased();
    }

    [Theory]
    [InlineData("quest:15%,min=0")]
    [InlineData("quest:eps=0.3,min=0")]
    public async Task Threads_batches_chunks_and_caches_change_no_bit(string policy)
    {
        RetentionPolicy parsed = RetentionPolicy.Parse(policy)!;
        List<byte[]> bits = [];
        foreach (EngineOptions options in (EngineOptions[])
            [Small with { Threads = 1 }, Small with { Threads = 2, PrefillChunk = 5 }, Small with { KvReuse = KvReuse.Off }])
        {
            using InferenceEngine engine = new(_model, options);
            bits.Add(Bits(await Ask(engine, 7, parsed)));
            engine.AssertNothingLeased();
        }
        using InferenceEngine crowd = new(_model, Small);
        GenerationResult[] answers =
            await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Ask(crowd, i < 3 ? 7 : 4 + i, i == 0 ? null : i == 1 ? s_half : parsed)));
        bits.Add(Bits(answers[2]));
        Assert.All(bits, each => Assert.Equal(bits[0], each));
        Assert.NotEqual(bits[0], Bits(answers[0]));
        crowd.AssertNothingLeased();
    }

    [Fact]
    public async Task Whoever_has_to_wait_in_between_goes_on_alike()
    {
        using InferenceEngine alone = new(_model, Small);
        using InferenceEngine tight = new(_model, Small with { KvDeviceBytes = InferenceEngine.PoolBytes(_model, Small) });
        byte[][] expected = [Bits(await Ask(alone, 1, s_few)), Bits(await Ask(alone, 2, s_few)), Bits(await Ask(alone, 3, s_few))];
        Completion[] others = [.. Enumerable.Range(0, 2).Select(i => tight.Start([.. Enumerable.Repeat(260 + i, 60)],
            new GenerationOptions { MaxTokens = 300, IgnoresEnds = true, Priority = 1 }, [(byte)(i + 1)], Patience))];
        GenerationResult[] answers = await Task.WhenAll(Enumerable.Range(1, 3).Select(fact => Ask(tight, fact, s_few)));
        Assert.Equal(expected, answers.Select(Bits));
        foreach (Completion other in others)
            await other.Result;
        tight.AssertNothingLeased();
    }

    /// <summary>Only what is exact is in the cache afterwards: the keys are the prompt's.</summary>
    [Fact]
    public async Task Nothing_that_is_not_exact_is_found_by_anybody()
    {
        using InferenceEngine engine = new(_model, Small), other = new(_model, Small);
        GenerationResult exact = await Ask(other, 3, null), lossy = await Ask(engine, 3, s_few);
        Assert.NotEqual(Bits(exact), Bits(lossy));
        HashSet<BlockKey> ofPrompt = [.. engine.Cache.Keys(Prompt(3))];
        Assert.NotEmpty(ofPrompt);
        Assert.All(engine.Cache.Blocks(int.MaxValue).Where(block => block.Tokens.Length == 16),
            block => Assert.Contains(block.Key, ofPrompt));
        int[] whole = [.. Prompt(3), .. lossy.TokenIds];
        foreach (int[] prompt in (int[][])[Prompt(3), whole, [.. whole, .. Prompt(5)[..40]]])
            Assert.Equal(Bits(await other.Start(prompt, Options(null), cancellation: Patience).Result),
                Bits(await engine.Start(prompt, Options(null), cancellation: Patience).Result));
        Assert.Equal(Bits(lossy), Bits(await Ask(engine, 3, s_few)));
        engine.AssertNothingLeased();
    }

    [Fact]
    public async Task A_prompt_computed_exactly_is_shared_in_both_directions()
    {
        using InferenceEngine engine = new(_model, Small);
        int tokens = Prompt(3).Length;
        await Ask(engine, 3, null);
        Assert.True((await Ask(engine, 3, s_few)).ReusedTokens >= tokens / 16 * 16 - 16);
        await Ask(engine, 9, s_few);
        Assert.True((await Ask(engine, 9, null)).ReusedTokens >= tokens / 16 * 16 - 32);
    }

    [Fact]
    public void No_bound_is_promised_where_scores_are_capped()
    {
        using TemporaryFolder folder = new();
        using LanguageModel model = LanguageModel.Load(TinyModel.Gemma2.WriteTo(folder["tiny.gguf"]));
        string message = Assert.Throws<ArgumentException>(() => new InferenceEngine(model,
            new EngineOptions { Context = 128, KvRetention = RetentionPolicy.Parse("quest:eps=0.1,min=0") })).Message;
        Assert.Contains("scores of this model are capped at 2", message, StringComparison.Ordinal);
        using InferenceEngine shares = new(model,
            new EngineOptions { Context = 128, KvRetention = RetentionPolicy.Parse("quest:50%,min=0") });
    }

    [Theory]
    [InlineData("quest:100%,min=0"), InlineData("quest:5%,min=5000"), InlineData("quest:eps=1e-28,min=0")]
    public async Task Who_reads_everything_is_exact(string policy)
    {
        using InferenceEngine engine = new(_model, Small), other = new(_model, Small);
        Assert.Equal(Bits(await Ask(other, 5, null)), Bits(await Ask(engine, 5, RetentionPolicy.Parse(policy))));
    }

    [Fact]
    public async Task A_later_turn_is_as_if_nothing_had_been_skipped()
    {
        using InferenceEngine engine = new(_model, Small), other = new(_model, Small with { KvReuse = KvReuse.WithinSequence });
        using Sequence sequence = engine.NewSequence(), again = other.NewSequence();
        sequence.Append(Prompt(3));
        GenerationResult first = await engine.Start(sequence, Options(s_few), Patience).Result;
        Assert.Equal(Prompt(3).Length, sequence.Cached);
        sequence.Append([5, 6, 7]);
        again.Append(sequence.Tokens);
        Assert.Equal(Bits(await other.Start(again, Options(null), Patience).Result),
            Bits(await engine.Start(sequence, Options(null), Patience).Result));
        Assert.Equal(24, first.TokenIds.Count);
    }

    [Theory, MemberData(nameof(SagaVariantTests.Names), MemberType = typeof(SagaVariantTests))]
    public async Task Windows_shared_layers_and_one_head_read_pages_too(string name)
    {
        using LanguageModel model = LanguageModel.Load(SagaVariantTests.PathOf(name));
        using InferenceEngine engine = new(model, Small with { Threads = 2 }), other = new(model, Small with { KvReuse = KvReuse.Off });
        byte[] exact = Bits(await Ask(engine, 2, null)), few = Bits(await Ask(engine, 2, s_few));
        Assert.Equal(exact, Bits(await Ask(engine, 2, RetentionPolicy.Parse("quest:100%,min=0"))));
        Assert.NotEqual(exact, few);
        Assert.Equal(few, Bits(await Ask(other, 2, s_few)));
    }

    /// <summary>A pool of half the context: the rest lies in the host's memory, where pages are read in place.</summary>
    [Fact]
    public async Task What_lies_behind_the_pool_is_read_where_it_lies()
    {
        using InferenceEngine plenty = new(_model, Small);
        long block = plenty.Layout.StrideBytes;
        using InferenceEngine tight = new(_model,
            Small with { KvDeviceBytes = 14 * block, KvHostBytes = 100 * block, PrefillChunk = 64 });
        byte[] expected = Bits(await Ask(plenty, 3, s_few));
        GenerationResult result = await Ask(tight, 3, s_few);
        Assert.True(result.Kv.Streamed is { Host: > 0 });
        Assert.Equal(expected, Bits(result));
        Assert.Equal(Bits(await Ask(plenty, 8, null)), Bits(await Ask(tight, 8, null)));
        tight.AssertNothingLeased();
    }

    [Fact]
    public async Task Whoever_gives_up_leaves_nothing_behind()
    {
        using InferenceEngine engine = new(_model, Small with { PrefillChunk = 32 });
        for (int delay = 0; delay < 40; delay += 5)
        {
            using CancellationTokenSource cancel = new(delay);
            await engine.Start(Prompt(4), Options(s_few), [(byte)delay], cancel.Token).Result;
        }
        engine.AssertNothingLeased();
    }
}
