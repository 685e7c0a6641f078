using Kvasir.Inference;
using Kvasir.Inference.Scheduling;
using Microsoft.Extensions.AI;

namespace Kvasir.Tests.ExtensionsAI;

/// <summary>Vectors of texts.</summary>
public sealed class EmbeddingTests : IDisposable
{
    readonly SagaChat _saga = new();
    readonly KvasirEmbeddingGenerator _generator;

    public EmbeddingTests() => _generator = new KvasirEmbeddingGenerator(_saga.Engine);

    static CancellationToken Patience => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _generator.Dispose();
        _saga.Dispose();
    }

    [Fact]
    public async Task A_vector_is_the_hidden_state_at_length_one()
    {
        int[] prompt = _saga.Engine.Model.Tokenizer.EncodePrompt("Einar keeps a red lamp");
        GenerationOptions options = new() { MaxTokens = 0, WantsHidden = true };
        GenerationResult result = await _saga.Engine.Start(prompt, options, cancellation: Patience).Result;
        float[] hidden = result.Hidden!.Value.ToArray();
        double length = Math.Sqrt(hidden.Sum(value => (double)value * value));
        Embedding<float> vector = Assert.Single(await _generator.GenerateAsync(["Einar keeps a red lamp"], cancellationToken: Patience));
        Assert.Equal(hidden.Select(value => (float)(value / length)), vector.Vector.ToArray());
        Assert.Equal(("Kvasir Saga", 128), (vector.ModelId, vector.Vector.Length));
    }

    [Fact]
    public async Task Many_texts_keep_their_order_and_share_their_beginning()
    {
        string[] texts = [.. Enumerable.Range(0, 70).Select(i => $"{_saga.Saga.Text} {_saga.Question(i % 20).Text}")];
        GeneratedEmbeddings<Embedding<float>> vectors = await _generator.GenerateAsync(texts, cancellationToken: Patience);
        Assert.Equal(70, vectors.Count);
        foreach (int i in (int[])[0, 19, 69])
            Assert.Equal((await _generator.GenerateVectorAsync(texts[i], cancellationToken: Patience)).ToArray(),
                vectors[i].Vector.ToArray());
        Assert.Equal(20, vectors.Select(vector => string.Join(' ', vector.Vector.ToArray())).Distinct().Count());
        Assert.True(vectors.Usage!.CachedInputTokenCount > vectors.Usage.InputTokenCount * 3 / 4,
            $"{vectors.Usage.CachedInputTokenCount} of {vectors.Usage.InputTokenCount}");
        Assert.Equal((vectors.Usage.InputTokenCount, 0), (vectors.Usage.TotalTokenCount, vectors.Usage.OutputTokenCount));
    }

    [Fact]
    public async Task Fewer_dimensions_have_length_one_as_well()
    {
        float[] vector = (await _generator.GenerateVectorAsync("Einar", new EmbeddingGenerationOptions { Dimensions = 8 }, Patience))
            .ToArray();
        Assert.Equal(8, vector.Length);
        Assert.Equal(1, vector.Sum(value => value * value), 1e-5f);
        Assert.Contains("Dimensions: 257, expected 1 to 128", (await Assert.ThrowsAsync<ArgumentException>(
            () => _generator.GenerateVectorAsync("Einar", new() { Dimensions = 257 }, Patience))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Cancelling_ends_it() =>
        await Assert.ThrowsAnyAsync<OperationCanceledException>(
            () => _generator.GenerateAsync([_saga.Saga.Text], cancellationToken: new CancellationToken(canceled: true)));

    [Fact]
    public void It_gives_away_what_it_stands_on()
    {
        IEmbeddingGenerator generator = _generator;
        Assert.Same(_saga.Engine, generator.GetService<InferenceEngine>());
        Assert.Equal((128, "Kvasir Saga"), (generator.GetService<EmbeddingGeneratorMetadata>()!.DefaultModelDimensions,
            generator.GetService<EmbeddingGeneratorMetadata>()!.DefaultModelId));
    }
}
