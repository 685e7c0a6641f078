using Kvasir.Inference;
using Kvasir.Inference.Measurement.Quality;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Measurement;

public sealed class PerplexityTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static int[] Text(int tokens) => [.. Enumerable.Range(0, tokens).Select(i => (i * 37 + i / 7) % 256)];

    /// <summary>A tiny model with or without a token before every sequence.</summary>
    LanguageModel Tiny(bool opens)
    {
        var writer = TinyModel.Llama.Build();
        writer.Set("tokenizer.ggml.add_bos_token", opens);
        writer.Write(_folder["tiny.gguf"]);
        return LanguageModel.Load(_folder["tiny.gguf"]);
    }

    static Perplexity Measure(InferenceEngine engine, int[] text) =>
        Perplexity.Of(engine, text, cancellation: TestContext.Current.CancellationToken);

    [Theory]
    [InlineData(false, 100, 32)] // three windows and a short one
    [InlineData(false, 97, 32)] // the last window is one token: nothing to predict
    [InlineData(false, 96, 32)]
    [InlineData(false, 20, 512)]
    [InlineData(false, 2, 512)]
    [InlineData(true, 100, 32)]
    [InlineData(true, 63, 32)] // the last window is one token behind the opening
    [InlineData(true, 1, 512)]
    public void It_is_that_of_the_definition(bool opens, int length, int context)
    {
        using LanguageModel model = Tiny(opens);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = context });
        List<double> losses = [];
        int windows = 0;
        foreach (int[] part in Text(length).Chunk(opens ? context - 1 : context))
        {
            int[] window = opens ? [TinyVocabulary.EndOfText, .. part] : part;
            using Sequence sequence = engine.NewSequence();
            sequence.Append(window);
            float[][] logits = engine.ComputeLogits(sequence);
            for (int i = 1; i < window.Length; i++)
                losses.Add(-Math.Log(Math.Exp(logits[i - 1][window[i]]) / logits[i - 1].Sum(logit => Math.Exp(logit))));
            windows++;
        }
        double mean = losses.Average(),
            variance = losses.Count < 2 ? 0 : losses.Sum(loss => (loss - mean) * (loss - mean)) / (losses.Count - 1);

        Perplexity perplexity = Measure(engine, Text(length));

        Assert.Equal((windows, losses.Count), (perplexity.Windows, perplexity.Tokens));
        Assert.Equal(opens ? length : length - windows, perplexity.Tokens);
        Assert.Equal(mean, perplexity.MeanLoss, 1e-12);
        Assert.Equal(Math.Sqrt(variance / losses.Count), perplexity.MeanLossError, 1e-12);
        Assert.Equal(Math.Exp(mean), perplexity.Value, 1e-9);
        Assert.Equal(Math.Exp(mean) * perplexity.MeanLossError, perplexity.StandardError, 1e-9);
    }

    [Fact]
    public void It_is_bitwise_equal_for_any_chunk_and_thread_count()
    {
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        int[] text = model.Tokenizer.Encode(new SagaGenerator(1).Document(12).Text);
        Perplexity InChunks(int chunk, int threads)
        {
            using var engine = new InferenceEngine(model, new EngineOptions { Context = 128, PrefillChunk = chunk, Threads = threads });
            return Measure(engine, text);
        }
        Perplexity expected = InChunks(128, 1);
        Assert.All([7, 16, 50], chunk => Assert.Equal(expected, InChunks(chunk, 2)));
    }

    [Fact]
    public void The_logits_of_no_more_tokens_than_asked_for_exist_at_a_time()
    {
        using LanguageModel model = Tiny(opens: false);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = 32 });
        using Sequence sequence = engine.NewSequence(), whole = engine.NewSequence();
        sequence.Append(Text(8));
        whole.Append(Text(8));
        float[][] expected = engine.ComputeLogits(whole);
        List<float[]> logits = [];
        foreach (int count in (int[])[3, 3, 2])
        {
            Assert.Equal(count, engine.ForwardWithLogits(sequence, 3));
            logits.AddRange(Enumerable.Range(0, count).Select(i => engine.LogitsOf(i).ToArray()));
        }
        Assert.Equal(expected, logits);
    }

    [Fact]
    public void A_guess_among_all_is_the_vocabulary_and_certainty_is_one()
    {
        Assert.Equal(Math.Log(1000), TokenLoss.Of(new float[1000], 7), 1e-12);
        float[] certain = new float[37];
        certain[36] = 1000;
        Assert.Equal(0, TokenLoss.Of(certain, 36));
        Assert.Equal(1000, TokenLoss.Of(certain, 0)); // and nothing overflows
        Assert.True(double.IsNaN(TokenLoss.Of([0, float.NaN, 0], 0)));
    }

    [Fact]
    public void What_was_learnt_is_predicted_and_noise_is_not()
    {
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = 256 });
        int[] document = model.Tokenizer.Encode(new SagaGenerator(3).Document(15).Text), shuffled = [.. document];
        new Random(1).Shuffle(shuffled);
        Assert.InRange(Measure(engine, document).Value, 2, 10);
        Assert.True(Measure(engine, shuffled).Value > 100);
    }

    [Fact]
    public void Progress_grows_to_the_result_and_cancelling_ends_it()
    {
        using LanguageModel model = Tiny(opens: true);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = 32, PrefillChunk = 10 });
        using var source = new CancellationTokenSource();
        Reports reports = new();
        Perplexity perplexity = Perplexity.Of(engine, Text(100), reports, source.Token);
        Assert.Equal([10, 20, 30, 31], reports.Seen.Select(report => report.SoFar.Tokens).Take(4));
        Assert.Equal(perplexity, reports.Seen[^1].SoFar);
        Assert.All(reports.Seen, report => Assert.Equal(100, report.Tokens));
        Assert.Equal(0, engine.Cache.Device.Counts.Leased + engine.Cache.Device.Counts.InFlight);

        source.Cancel();
        Assert.Throws<OperationCanceledException>(() => Perplexity.Of(engine, Text(100), null, source.Token));
        Assert.Equal(0, engine.Cache.Device.Counts.Leased + engine.Cache.Device.Counts.InFlight);
    }

    sealed class Reports : IProgress<PerplexityProgress>
    {
        public List<PerplexityProgress> Seen { get; } = [];

        public void Report(PerplexityProgress value) => Seen.Add(value);
    }

    [Theory]
    [InlineData(false, 1, 32, "text: 1 tokens, expected at least 2")]
    [InlineData(true, 0, 32, "text: 0 tokens, expected at least 1")]
    [InlineData(false, 9, 1, "context: 1, expected at least 2")]
    [InlineData(true, 9, 1, "context: 1, expected at least 2")]
    public void Nothing_to_predict_is_refused(bool opens, int length, int context, string message)
    {
        using LanguageModel model = Tiny(opens);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = context });
        Assert.StartsWith(message, Assert.Throws<ArgumentException>(() => Measure(engine, Text(length))).Message, StringComparison.Ordinal);
    }

    /// <summary>What eight bits take from saga: less than a thousandth. docs/perplexity.md has the figure for 200 documents.</summary>
    [Fact]
    public void Products_of_eight_bit_numbers_change_the_perplexity_of_saga_by_less_than_a_thousandth()
    {
        string original = SagaInF32.WriteTo(_folder["f32.gguf"]);
        string text = string.Join("\n\n", Enumerable.Range(0, 20).Select(seed => new SagaGenerator(seed).Document(10).Text)) + "\n";
        Assert.InRange(Of(SagaModel.Path) / Of(original), 0.999, 1.001);

        double Of(string path)
        {
            using LanguageModel model = LanguageModel.Load(path);
            using var engine = new InferenceEngine(model, new EngineOptions { Context = 512 });
            return Measure(engine, model.Tokenizer.Encode(text)).Value;
        }
    }
}
