using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Tiers;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Retention;

/// <summary>Views as completions meet them: made once, found by their own policy alone, left without a trace in what is exact.</summary>
public sealed class ViewTests : IDisposable
{
    const int Facts = 40;

    static readonly SagaDocument s_document = new SagaGenerator(5).Document(Facts);
    static readonly RetentionPolicy s_replay = RetentionPolicy.Parse("replay:30%,min=0")!;

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);

    public void Dispose() => _model.Dispose();

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    static EngineOptions Small => new() { Context = 1024, Sequences = 4, KvRetention = s_replay };

    int[] Beginning => new ChatPrompts(_model.Tokenizer).EncodeBeginning([System]);

    static JsonObject System => new() { ["role"] = "system", ["content"] = "Answer from this saga.\n" + s_document.Text };

    int[] Prompt(int fact) => new ChatPrompts(_model.Tokenizer).Encode(
        [System, new JsonObject { ["role"] = "user", ["content"] = s_document.Facts[fact].Questions[0].Text }]);

    GenerationOptions Options(RetentionPolicy? policy) => new()
    {
        MaxTokens = 24, WantsHidden = true, Retention = policy is null ? null : new RetentionOptions(policy) { Prefix = Beginning.Length },
    };

    async Task<GenerationResult> Ask(InferenceEngine engine, int fact, RetentionPolicy? policy, byte[]? salt = null) =>
        await engine.Start(Prompt(fact), Options(policy), salt ?? [], Patience).Result;

    static void End(InferenceEngine engine)
    {
        engine.Cache.Views.Clear();
        engine.AssertNothingLeased();
    }

    static byte[] Bits(GenerationResult result) =>
        [.. MemoryMarshal.AsBytes(result.Hidden!.Value.Span), .. MemoryMarshal.AsBytes<int>([.. result.TokenIds])];

    [Fact]
    public async Task A_view_is_made_once_and_answers_all_questions()
    {
        using InferenceEngine engine = new(_model, Small);
        GenerationResult[] answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Ask(engine, i * 6, s_replay)));
        Assert.Single(engine.Cache.Views.All);
        Assert.Single(answers, answer => answer.Kv.Retention is { WasFound: false, View: not null });
        Assert.True(answers.Where((answer, i) => answer.Text.Trim() == s_document.Facts[i * 6].Questions[0].Answer).Count() >= 5);
        foreach (GenerationResult answer in answers)
            Assert.InRange(answer.Kv.Retention!.View!.Bytes, 1, answer.Kv.Retention.View.ExactBytes * 30 / 100);
        End(engine);
    }

    [Fact]
    public async Task Exact_requests_have_the_same_bits_before_and_after_and_meet_no_view()
    {
        using InferenceEngine engine = new(_model, Small), other = new(_model, Small);
        byte[] expected = Bits(await Ask(other, 3, null));
        GenerationResult lossy = await Ask(engine, 3, s_replay);
        HashSet<BlockKey> afterLossy = [.. engine.Cache.Blocks(int.MaxValue).Select(block => block.Key)];
        GenerationResult exact = await Ask(engine, 3, null);
        Assert.Equal(expected, Bits(exact));
        Assert.NotEqual(expected, Bits(lossy));
        Assert.Null(exact.Kv.Retention);
        HashSet<BlockKey> chain = [.. engine.Cache.Keys(Prompt(3))];
        Assert.Contains(afterLossy, chain.Contains); // the prefix, exactly
        BlockKey[] behind = [.. afterLossy.Where(key => !chain.Contains(key))];
        Assert.NotEmpty(behind); // what was computed through the view
        Assert.All(behind, key => Assert.DoesNotContain(key, engine.Cache.Keys(Prompt(3))));
        Assert.Equal(Bits(lossy), Bits(await Ask(engine, 3, s_replay)));
        End(engine);
    }

    [Theory]
    [InlineData("replay:30%,min=0")]
    [InlineData("window:100+4,min=0")]
    [InlineData("fastgen:0.9+pyramid:30%,min=0")]
    [InlineData("expected:30%,min=0")]
    [InlineData("h2o:200,min=0,alloc=funnel")]
    public async Task Threads_batches_chunks_and_caches_change_no_bit(string policy)
    {
        RetentionPolicy parsed = RetentionPolicy.Parse(policy)!;
        List<byte[]> bits = [];
        foreach (EngineOptions options in (EngineOptions[])
            [Small with { Threads = 1 }, Small with { Threads = 2, PrefillChunk = 96 },
                Small with { KvReuse = KvReuse.Off, Sequences = 6 }])
        {
            using InferenceEngine engine = new(_model, options);
            GenerationResult result = await Ask(engine, 7, parsed);
            Assert.NotNull(result.Kv.Retention!.View);
            bits.Add(Bits(result));
            End(engine);
        }
        using InferenceEngine crowd = new(_model, Small);
        bits.Add(Bits((await Task.WhenAll(Enumerable.Range(4, 5).Select(fact => Ask(crowd, fact, parsed))))[3]));
        Assert.All(bits, each => Assert.Equal(bits[0], each));
        End(crowd);
    }

    [Fact]
    public async Task Other_policies_and_other_salts_make_their_own()
    {
        using InferenceEngine engine = new(_model, Small with { Sequences = 8 });
        RetentionPolicy more = RetentionPolicy.Parse("replay:45%,min=0")!;
        foreach ((RetentionPolicy policy, byte[] salt) in ((RetentionPolicy, byte[])[])[(s_replay, []), (more, []), (s_replay, [1])])
        {
            Assert.False((await Ask(engine, 1, policy, salt)).Kv.Retention!.WasFound);
            Assert.True((await Ask(engine, 2, policy, salt)).Kv.Retention!.WasFound);
        }
        Assert.Equal(3, engine.Cache.Views.All.Count);
        End(engine);
    }

    [Fact]
    public async Task What_looks_at_the_question_is_found_by_nobody()
    {
        using InferenceEngine engine = new(_model, Small);
        RetentionPolicy aware = RetentionPolicy.Parse("snapkv:30%,min=0")!;
        for (int i = 0; i < 2; i++)
        {
            GenerationOptions options = Options(null) with { Retention = new RetentionOptions(aware) };
            Assert.False((await engine.Start(Prompt(9), options, cancellation: Patience).Result).Kv.Retention!.WasFound);
        }
        Assert.Empty(engine.Cache.Views.All);
        End(engine);
    }

    [Fact]
    public async Task What_does_not_work_out_is_exact_and_says_why()
    {
        EngineOptions little = Small with { Sequences = 1, KvRetention = null, Context = 700 };
        using InferenceEngine plenty = new(_model, Small), tight = new(_model, little);
        byte[] expected = Bits(await Ask(plenty, 11, null));
        RetentionUse shortOne = await Exact(plenty, "replay:30%,min=5000"), all = await Exact(plenty, "replay:100%,min=0"),
            noRoom = await Exact(tight, "replay:60%,min=0");
        Assert.Contains("min=5000", shortOne.WhyExact, StringComparison.Ordinal);
        Assert.Contains("pool has no room", noRoom.WhyExact, StringComparison.Ordinal);
        Assert.NotNull(all.WhyExact);
        End(plenty);
        End(tight);

        async Task<RetentionUse> Exact(InferenceEngine engine, string policy)
        {
            GenerationResult result = await Ask(engine, 11, RetentionPolicy.Parse(policy));
            Assert.Equal(expected, Bits(result));
            Assert.Null(result.Kv.Retention!.View);
            return result.Kv.Retention;
        }
    }

    [Fact]
    public async Task Views_that_nobody_reads_give_way()
    {
        using InferenceEngine engine = new(_model, Small with { KvDeviceBytes = InferenceEngine.PoolBytes(_model, Small) * 3 / 2 });
        for (byte salt = 0; salt < 12; salt++)
            Assert.NotNull((await Ask(engine, salt, s_replay, [salt])).Kv.Retention!.View);
        Assert.InRange(engine.Cache.Views.All.Count, 1, 11);
        End(engine);
    }

    [Fact]
    public async Task A_conversation_goes_on_behind_its_view()
    {
        using InferenceEngine engine = new(_model, Small);
        using Conversation conversation = new(engine, new ChatPrompts(_model.Tokenizer), "Answer from this saga.\n" + s_document.Text);
        GenerationOptions options = new() { MaxTokens = 24, Retention = new RetentionOptions(s_replay) };
        int right = 0;
        for (int fact = 2; fact < 38; fact += 7)
        {
            GenerationResult result = await Task.Run(() => conversation.Say(s_document.Facts[fact].Questions[0].Text, options, _ => { }));
            Assert.NotNull(result.Kv.Retention!.View);
            right += result.Text.Trim() == s_document.Facts[fact].Questions[0].Answer ? 1 : 0;
        }
        Assert.InRange(right, 4, 6);
        Assert.Single(engine.Cache.Views.All);
        conversation.Dispose();
        End(engine);
    }

    [Fact]
    public async Task Whoever_gives_up_leaves_nothing_behind()
    {
        using InferenceEngine engine = new(_model, Small with { PrefillChunk = 32 });
        for (int delay = 0; delay < 60; delay += 6)
        {
            using CancellationTokenSource cancel = new(delay);
            GenerationResult result = await engine.Start(Prompt(4), Options(s_replay), [(byte)delay], cancel.Token).Result;
            Assert.True(result.FinishReason is FinishReason.Cancelled or FinishReason.Stop or FinishReason.Length);
        }
        End(engine);
    }

    /// <summary>A score that is wrong, and nobody notices, would be worth as much as a right one.</summary>
    [Fact]
    public async Task Scores_are_worth_more_than_the_same_in_another_order()
    {
        using InferenceEngine engine = new(_model, Small with { Context = 768 });
        RetentionOptions real = new(RetentionPolicy.Parse("replay:25%,min=0")!), shuffled = real with { Adjust = Shuffle };
        Assert.InRange(await Right(real) - await Right(shuffled), 8, 24); // of 24: a third and more

        async Task<int> Right(RetentionOptions retention)
        {
            int right = 0;
            for (int fact = 0; fact < 24; fact++)
            {
                GenerationOptions options = new() { MaxTokens = 24, Retention = retention with { Prefix = Beginning.Length } };
                GenerationResult result = await engine.Start(Prompt(fact), options, cancellation: Patience).Result;
                right += result.Text.Trim() == s_document.Facts[fact].Questions[0].Answer ? 1 : 0;
            }
            return right;
        }

        void Shuffle(RetentionScores scores)
        {
            Random random = new(3);
            for (int layer = 0; layer < engine.Layout.Layers.Length; layer++)
                for (int head = 0; head < engine.Layout.Layers[layer].KvHeads; head++)
                    random.Shuffle(scores.Of(layer, head));
        }
    }

    /// <summary>
    /// Of 65 blocks, 52 are a prefix that 52 passes look at, and who computes meanwhile, alone, comes to need 14: then who looks begins
    /// again later.
    /// </summary>
    [Fact]
    public async Task Nobody_fails_because_somebody_else_makes_a_view()
    {
        const int Prefix = 52 * 16;
        // the first would be over too soon with guesses
        EngineOptions tight = new() { Context = 1024, PrefillChunk = 16, Speculative = SpeculativeMode.Off };
        using InferenceEngine engine = new(_model, tight with { KvDeviceBytes = InferenceEngine.PoolBytes(_model, tight) });
        Completion alone = engine.Start([.. Enumerable.Repeat(260, 75)],
            new GenerationOptions { MaxTokens = 300, IgnoresEnds = true }, [1], Patience);
        await alone.Pieces.ReadAsync(Patience);
        GenerationResult behind = await engine.Start([.. Enumerable.Range(0, Prefix + 16).Select(i => 260 + i % 600)], new GenerationOptions
        {
            MaxTokens = 2, IgnoresEnds = true,
            Retention = new RetentionOptions(RetentionPolicy.Parse("h2o:10%,min=0")!) { Prefix = Prefix },
        }, [2], Patience).Result;
        Assert.NotNull(behind.Kv.Retention!.View);
        Assert.Equal(300, (await alone.Result).TokenIds.Count);
        Assert.True(engine.Serving.Preemptions > 0);
        End(engine);
    }
}
