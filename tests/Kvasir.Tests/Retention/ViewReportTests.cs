using System.Text.Json.Nodes;
using Kvasir.Inference;
using Kvasir.Inference.Chat;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Retention;
using Kvasir.KvCache.Views;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Retention;

/// <summary>What is told of views: the attention that they keep, what a step is spared, and the memory that they give back.</summary>
public sealed class ViewReportTests : IDisposable
{
    static readonly SagaDocument s_document = new SagaGenerator(5).Document(40);

    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);

    public void Dispose() => _model.Dispose();

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    int[] Prompt(int fact) => new ChatPrompts(_model.Tokenizer).Encode(
    [
        new JsonObject { ["role"] = "system", ["content"] = "Answer from this saga.\n" + s_document.Text },
        new JsonObject { ["role"] = "user", ["content"] = s_document.Facts[fact].Questions[0].Text },
    ]);

    Completion Ask(InferenceEngine engine, string policy, Action<RetentionScores>? adjust = null, byte[]? salt = null, int tokens = 2)
    {
        int[] prompt = Prompt(1);
        return engine.Start(prompt, new GenerationOptions
        {
            MaxTokens = tokens, IgnoresEnds = true,
            Retention = new RetentionOptions(RetentionPolicy.Parse(policy)!) { Prefix = prompt.Length - 16, Adjust = adjust },
        }, salt ?? [], Patience);
    }

    static void End(InferenceEngine engine)
    {
        engine.Cache.Views.Clear();
        engine.AssertNothingLeased();
    }

    /// <summary>H2O's scores are the sums themselves, so that the same can be said of what it chose.</summary>
    [Fact]
    public async Task The_mass_is_the_share_of_the_attention_that_kept_positions_had()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 1024, Sequences = 3 });
        RetentionScores? scores = null;
        const string Policy = "h2o:25%,min=0";
        RetainedView view = (await Ask(engine, Policy, seen => scores = seen).Result).Kv.Retention!.View!;
        RetentionShape shape = ViewShape.Of(engine.Layout, view.Codecs, view.Positions);
        KeptPositions kept = RetentionSelection.Select(RetentionPolicy.Parse(Policy)!, shape, scores, null)!;
        double[] shares = [.. shape.Layers.SelectMany((layer, i) => Enumerable.Range(0, layer.KvHeads).Select(head =>
        {
            double all = 0, of = 0;
            foreach (float sum in scores!.Of(i, head))
                all += sum;
            foreach (int position in kept.Of(i, head))
                of += scores.Of(i, head)[position];
            return of / all;
        }))];
        Assert.Equal(shares.Average(), view.Mass!.Mean, 12);
        Assert.Equal(shares.Min(), view.Mass.Least, 12);
        Assert.InRange(view.Mass.Mean, 0.5, 0.999);
        End(engine);
    }

    [Theory]
    [InlineData("replay:30%,min=0", true)]
    [InlineData("snapkv:30%,min=0", true)]
    [InlineData("fastgen:0.9+pyramid:30%,min=0", true)]
    [InlineData("expected:30%,min=0", false)]
    [InlineData("random:30%,min=0", false)]
    [InlineData("window:60+4,min=0", false)]
    public async Task Who_has_looked_knows_the_mass(string policy, bool looks)
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 1024, Sequences = 3 });
        ViewMass? mass = (await Ask(engine, policy).Result).Kv.Retention!.View!.Mass;
        Assert.Equal(looks, mass is not null);
        if (mass is not null)
        {
            Assert.InRange(mass.Mean, 0.3, 0.9999);
            Assert.InRange(mass.Least, 0, mass.Mean);
        }
        End(engine);
    }

    /// <summary>What looks at most has more of the attention than what is shuffled, and a larger view more than a smaller one.</summary>
    [Fact]
    public async Task More_keeps_more()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 1024, Sequences = 3 });
        double[] means = [];
        foreach (string policy in (string[])["replay:20%,min=0", "replay:40%,min=0", "replay:80%,min=0"])
            means = [.. means, (await Ask(engine, policy).Result).Kv.Retention!.View!.Mass!.Mean];
        Assert.Equal(means.Order(), means);
        double shuffled = (await Ask(engine, "replay:20%,min=0", scores => Array.ForEach([.. Heads(engine)],
            head => new Random(1).Shuffle(scores.Of(head.Layer, head.Head)))).Result).Kv.Retention!.View!.Mass!.Mean;
        Assert.InRange(shuffled, 0, means[0] - 0.1);
        End(engine);
    }

    static IEnumerable<(int Layer, int Head)> Heads(InferenceEngine engine) =>
        engine.Layout.Layers.SelectMany((layer, i) => Enumerable.Range(0, layer.KvHeads).Select(head => (i, head)));

    /// <summary>Saga's 6 layers have 2 heads of 16: a position of a head takes 64 bytes in 16 bits and 36 in eight and a half.</summary>
    [Theory]
    [InlineData("window:60+4,min=0", 64)]
    [InlineData("window:60+4,min=0,type=q8_0", 0)]
    public async Task A_step_is_spared_what_it_does_not_read(string policy, int rowBytes)
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 1024, Sequences = 3, KvRetention = null });
        RetainedView view = (await Ask(engine, policy).Result).Kv.Retention!.View!;
        int dim = engine.Layout.Layers[0].KeyDim, heads = engine.Layout.Layers[0].KvHeads, layers = engine.Layout.Layers.Length;
        long exact = 2L * F16Codec.Instance.RowBytes(dim), kept = rowBytes > 0 ? exact : 2L * Q8_0Codec.Instance.RowBytes(dim);
        Assert.Equal(layers * heads * (view.Positions * exact - 64 * kept), view.UnreadBytes);
        End(engine);
    }

    /// <summary>While it answers, a sequence holds its view and what stands behind it; nobody holds the prefix any longer.</summary>
    [Fact]
    public async Task The_exact_prefix_is_given_back_while_the_answer_goes_on()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 1024, Sequences = 3 });
        Completion completion = Ask(engine, "replay:25%,min=0", tokens: 60);
        PoolCounts during = await WhileItAnswers(engine, completion);
        RetainedView view = (await completion.Result).Kv.Retention!.View!;
        int prefix = engine.Layout.BlocksFor(view.Positions), behind = engine.Layout.BlocksFor(Prompt(1).Length + 60 - view.Positions);
        Assert.InRange(view.Slots, 1, prefix / 4);
        Assert.InRange(during.Leased + during.InFlight, view.Slots, view.Slots + behind + 1);
        Assert.InRange(during.Cached, prefix, prefix + behind + 1); // there, and whoever wants the room may have it
        End(engine);
    }

    /// <summary>A pool for one sequence exactly, and the views of three.</summary>
    [Fact]
    public async Task Three_go_on_at_once_where_one_has_room_exactly()
    {
        EngineOptions options = new() { Context = 1024 };
        options = options with { KvDeviceBytes = InferenceEngine.PoolBytes(_model, options) * 9 / 5 };
        using InferenceEngine engine = new(_model, options), exact = new(_model, options);
        Completion[] thin = [.. Enumerable.Range(1, 3).Select(i => Ask(engine, "h2o:20%,min=0", salt: [(byte)i], tokens: 150))];
        Completion[] whole = [.. Enumerable.Range(1, 3).Select(i => Ask(exact, "h2o:20%,min=5000", salt: [(byte)i], tokens: 150))];
        await Task.WhenAll(thin.Concat(whole).Select(completion => completion.Result));
        Assert.Equal(0, engine.Serving.Preemptions);
        Assert.True(exact.Serving.Preemptions > 0 || Prompt(1).Length * 3 < 1024 * 9 / 5);
        End(engine);
        End(exact);
    }

    static async Task<PoolCounts> WhileItAnswers(InferenceEngine engine, Completion completion)
    {
        int tokens = 0;
        await foreach (CompletionPiece piece in completion.Pieces.ReadAllAsync(Patience))
            if (piece.Token >= 0 && ++tokens == 30)
                return engine.Cache.Device.Counts;
        throw new InvalidOperationException("it ended early");
    }

    [Fact]
    public void FastGen_wants_passes_of_all_rows_that_look_and_says_so_at_once()
    {
        EngineOptions options = new() { Context = 512, PrefillChunk = 31, KvRetention = RetentionPolicy.Parse("fastgen:0.9") };
        string message = Assert.Throws<ArgumentException>(() => new InferenceEngine(_model, options).Dispose()).Message;
        Assert.StartsWith("prefill chunk: 31, expected at least 32 for retention fastgen:0.9", message, StringComparison.Ordinal);
        using InferenceEngine engine = new(_model, options with { KvRetention = null });
        Assert.Equal(message, Assert.Throws<ArgumentException>(() => Ask(engine, "fastgen:0.9")).Message);
        using InferenceEngine enough = new(_model, options with { PrefillChunk = 32 }),
            all = new(_model, options with { Context = 20, PrefillChunk = 16, KvRetention = RetentionPolicy.Parse("snapkv:50%") });
    }
}
