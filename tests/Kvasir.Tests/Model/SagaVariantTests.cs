using Kvasir.Formats.Models;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Quality;
using Kvasir.Inference.Model;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>
/// The variants of saga: each keeps less than saga does, and finds what a document says all the same, with and without a cache.
/// </summary>
public class SagaVariantTests
{
    public static TheoryData<string> Names => ["saga-window", "saga-shared", "saga-mqa"];

    internal static string PathOf(string name) => Path.Combine(Checkout.Root, $"tests/Kvasir.Tests/Models/{name}.gguf");

    [Theory]
    [InlineData("saga-window", 128, 1, new[] { 0, 1, 2, 3, 4, 5 }, 2)]
    [InlineData("saga-shared", null, 6, new[] { 0, 0, 2, 2, 4, 4 }, 2)]
    [InlineData("saga-mqa", null, 6, new[] { 0, 1, 2, 3, 4, 5 }, 1)]
    public void Layers_are_what_the_name_says(string name, int? window, int full, int[] producers, int kvHeads)
    {
        using LanguageModel model = LanguageModel.Load(PathOf(name));
        AttentionSpec[] layers = [.. model.Config.Attention];
        Assert.Equal((6, 128, 4096), (layers.Length, model.Config.Width, model.Config.Context));
        Assert.All(layers, layer => Assert.Equal((4, kvHeads), (layer.Heads, layer.KvHeads)));
        Assert.Equal(full, layers.Count(layer => layer.Window is null));
        Assert.Equal(window, layers.Min(layer => layer.Window));
        Assert.Null(layers[^1].Window); // the last layer looks back
        Assert.Equal(producers, layers.Select(layer => layer.Producer));
    }

    [Theory, MemberData(nameof(Names))]
    public async Task It_finds_what_a_document_says_with_a_cache_and_without(string name)
    {
        using LanguageModel model = LanguageModel.Load(PathOf(name));
        using InferenceEngine cached = new(model, new EngineOptions { Context = 1024, Sequences = 3 }),
            plain = new(model, new EngineOptions { Context = 1024, Sequences = 12, KvReuse = KvReuse.WithinSequence });
        RetrievalResult with = await new Retrieval(cached, 5).Ask(new(20), 5, progress: null, TestContext.Current.CancellationToken);
        RetrievalResult without = await new Retrieval(plain, 5).Ask(new(20), 5, progress: null, TestContext.Current.CancellationToken);
        Assert.InRange(with.All.Right, 45, 50);
        Assert.Equal(without.ByDecile, with.ByDecile);
        Assert.Equal(without.ByKind, with.ByKind);
        Assert.True(with.ReusedTokens > with.PromptTokens / 2);
    }
}
