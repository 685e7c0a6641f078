using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Prefixes;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>What names a model's keys and values. A change here makes every block that anybody has stored a miss.</summary>
public class FingerprintTests
{
    [Theory]
    [InlineData("saga", "0780516c153ac040881441a103465394")]
    [InlineData("saga-window", "6e995a171b799704277d227f660dec85")]
    [InlineData("saga-shared", "85cc37c5a39a52c092018ec560516d62")]
    [InlineData("saga-mqa", "de859e9848d119e279866a3064329b23")]
    public void The_fingerprints_of_the_models_at_hand_are_what_they_were(string name, string fingerprint)
    {
        using var model = LanguageModel.Load(name == "saga" ? SagaModel.Path : SagaVariantTests.PathOf(name));
        Assert.StartsWith(fingerprint, FingerprintOf(model, new EngineOptions()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("f16", null, "b8d6243bce1b2b869d9472a911b9e16c")]
    [InlineData("f32", null, "97458516830aa46d23aa835546c79503")]
    [InlineData("f16", "q8_0", "e6161cc5692be9386da09c91c5e538b8")]
    public void Codecs_are_part_of_it(string codec, string? host, string fingerprint)
    {
        using var folder = new TemporaryFolder();
        TinyModel tiny = TinyModel.Llama with { Layers = 4, Window = 10, FullEvery = 2, HeadDim = 32 };
        using var model = LanguageModel.Load(tiny.WriteTo(folder["tiny.gguf"]));
        EngineOptions options = StoredAs.Both(StoredAs.Codec(codec)) with { KvHostCodec = host is null ? null : StoredAs.Codec(host) };
        Assert.StartsWith(fingerprint, FingerprintOf(model, options), StringComparison.Ordinal);
    }

    [Fact]
    public void Blocks_of_all_layers_are_others_than_those_of_some()
    {
        using var model = LanguageModel.Load(SagaVariantTests.PathOf("saga-window"));
        Assert.StartsWith("06341feb62da837c33d99530272f596c", FingerprintOf(model, new EngineOptions { KvWholeBlocks = true }),
            StringComparison.Ordinal);
    }

    static string FingerprintOf(LanguageModel model, EngineOptions options)
    {
        using var engine = new InferenceEngine(model, options);
        return engine.Cache.Fingerprint.ToString();
    }
}
