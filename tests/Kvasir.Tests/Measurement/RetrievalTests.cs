using System.Text.Json;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Quality;
using Kvasir.Inference.Saga;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Measurement;

/// <summary>Scores that say what a model found, and say the same with and without a cache.</summary>
public sealed class RetrievalTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);

    public void Dispose() => _model.Dispose();

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    /// <summary>Brown, Cai, DasGupta, "Interval estimation for a binomial proportion", 2001, and the limits of the formula.</summary>
    [Theory]
    [InlineData(8, 10, 0.490, 0.943)]
    [InlineData(0, 10, 0, 0.278)]
    [InlineData(10, 10, 0.722, 1)]
    [InlineData(0, 0, 0, 1)]
    public void Bounds_are_wilsons(int right, int asked, double low, double high)
    {
        Score score = new(right, asked);
        Assert.Equal((low, high), (Math.Round(score.Interval.Low, 3), Math.Round(score.Interval.High, 3)));
    }

    [Fact]
    public async Task Every_tenth_of_a_document_is_asked_about_and_its_questions_share_it()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 1024, Sequences = 3 });
        RetrievalResult result = await new Retrieval(engine, 5).Ask(new(20), 4, progress: null, Patience);
        Assert.Equal(40, result.All.Asked);
        Assert.All(result.ByDecile, score => Assert.Equal(4, score.Asked));
        Assert.Equal(40, result.ByKind.Values.Sum(score => score.Asked));
        Assert.Equal(result.All.Right, result.ByDecile.Sum(score => score.Right));
        Assert.Equal(result.All.Right, result.ByKind.Values.Sum(score => score.Right));
        Assert.InRange((double)result.ReusedTokens / result.PromptTokens, 0.75, 0.9);
        Assert.InRange(result.All.Right, 38, 40);
    }

    [Fact]
    public async Task The_score_is_the_same_without_a_cache_and_another_for_other_documents()
    {
        using InferenceEngine cached = new(_model, new EngineOptions { Context = 1024, Sequences = 3 }),
            plain = new(_model, new EngineOptions { Context = 1024, Sequences = 12, KvReuse = KvReuse.WithinSequence });
        RetrievalResult with = await new Retrieval(cached, 5).Ask(new(10), 4, progress: null, Patience),
            without = await new Retrieval(plain, 5).Ask(new(10), 4, progress: null, Patience);
        Assert.Equal(without.All, with.All);
        Assert.Equal(without.ByDecile, with.ByDecile);
        Assert.Equal(without.ByKind, with.ByKind);
        Assert.Equal(0, without.ReusedTokens);
        Assert.NotEqual(with.PromptTokens, (await new Retrieval(cached, 6).Ask(new(10), 4, progress: null, Patience)).PromptTokens);
    }

    /// <summary>Held-out documents: what the model's card says, less what a sample of this size may miss.</summary>
    [Theory]
    [InlineData(20, DocumentUnit.Facts, false, 97)]
    [InlineData(60, DocumentUnit.Facts, false, 94)]
    [InlineData(20, DocumentUnit.Facts, true, 97)]
    [InlineData(2048, DocumentUnit.Tokens, false, 88)]
    public async Task Saga_finds_what_a_document_says(int count, DocumentUnit unit, bool inOneConversation, int least)
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 2048, Sequences = 3 });
        RetrievalResult result = await new Retrieval(engine, 1_000_000_007, inOneConversation)
            .Ask(new(count, unit), 10, progress: null, Patience);
        Assert.Equal(100, result.All.Asked);
        Assert.InRange(result.All.Right, least, 100);
    }

    [Fact]
    public async Task A_document_of_so_many_tokens_fills_them_and_no_more()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 1024, Sequences = 3 });
        RetrievalResult result = await new Retrieval(engine, 5).Ask(new(512, DocumentUnit.Tokens), 2, progress: null, Patience);
        Assert.Equal(20, result.All.Asked);
        Assert.InRange(result.LongestPrompt, 440, 512);
        Assert.Equal("512 tokens", result.Size.ToString());
    }

    [Fact]
    public async Task Questions_of_one_conversation_follow_on_each_other()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 1024, Sequences = 3 });
        RetrievalResult apart = await new Retrieval(engine, 5).Ask(new(20), 3, progress: null, Patience),
            together = await new Retrieval(engine, 5, inOneConversation: true).Ask(new(20), 3, progress: null, Patience);
        Assert.Equal(apart.All.Asked, together.All.Asked);
        Assert.InRange(together.LongestPrompt - apart.LongestPrompt, 9 * 15, 9 * 45); // nine questions and answers before the last
        Assert.InRange((double)together.ReusedTokens / together.PromptTokens, 0.8, 1);
    }

    [Fact]
    public void Stories_are_measured_as_by_perplexity()
    {
        using InferenceEngine engine = new(_model, new EngineOptions { Context = 1024, KvReuse = KvReuse.WithinSequence });
        StoriesResult one = Stories.Measure(engine, 1, 3, progress: null, Patience),
            many = Stories.Measure(engine, 10, 3, progress: null, Patience);
        Assert.Equal(Perplexity.Of(engine, _model.Tokenizer.Encode(new SagaGenerator(3).Story()), progress: null, Patience).Value,
            one.Perplexity, 9);
        Assert.True(many.Low < many.Perplexity && many.Perplexity < many.High);
        Assert.InRange(many.Perplexity, 1.1, 2);
    }

    [Fact]
    public void The_verb_tells_what_it_measured_and_refuses_nonsense()
    {
        JsonElement report = Run("eval", "--facts", "5,3", "--documents", "2", "--json").Json;
        Assert.Equal([10, 6],
            report.GetProperty("retrieval").EnumerateArray().Select(row => row.GetProperty("all").GetProperty("asked").GetInt32()));
        JsonElement first = report.GetProperty("retrieval")[0];
        Assert.Equal((5, "facts"),
            (first.GetProperty("size").GetProperty("count").GetInt32(), first.GetProperty("size").GetProperty("unit").GetString()));
        Assert.InRange(first.GetProperty("all").GetProperty("interval").GetProperty("low").GetDouble(), 0.5, 1);
        JsonElement usual = Run("eval", "--documents", "1", "--json").Json.GetProperty("retrieval");
        Assert.Equal([5, 20, 60], usual.EnumerateArray().Select(row => row.GetProperty("size").GetProperty("count").GetInt32()));
        Assert.Contains("came from the cache", Run("eval", "--facts", "4", "--documents", "2").Answer, StringComparison.Ordinal);
        Assert.Matches(@"(?s)3 facts.*256 tokens",
            Run("eval", "--facts", "3", "--tokens", "256", "--conversation", "--documents", "1").Answer);
        Assert.Contains("perplexity 1.", Run("eval", "--task", "stories", "--documents", "3").Answer, StringComparison.Ordinal);
        Run("eval", "--task", "poems").Fails(2, "--task 'poems': expected retrieval or stories");
        Run("eval", "--facts", "5,many").Fails(2, "--facts 'many': expected numbers from 1 to 6000");
        Run("eval", "--tokens", "1x").Fails(2, "--tokens '1x': expected 1 to");
        Run("eval", "--facts", "600", "--documents", "1").Fails(1, "4,096");
    }
}
