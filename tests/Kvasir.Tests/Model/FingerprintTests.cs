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
    [InlineData("saga", "d1ef0a668d52370042abea9b395c85c3")]
    [InlineData("saga-window", "458aeae049592c93c9835fd3cd8ddb11")]
    [InlineData("saga-shared", "26483478a76b298df4f7b1e06515dea8")]
    [InlineData("saga-mqa", "5c2c9464b49e52f1013320b97f396e82")]
    public void The_fingerprints_of_the_models_at_hand_are_what_they_were(string name, string fingerprint)
    {
        using var model = LanguageModel.Load(name == "saga" ? SagaModel.Path : SagaVariantTests.PathOf(name));
        Assert.StartsWith(fingerprint, FingerprintOf(model, new EngineOptions()), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("f16", null, "84d8c2fb6071d012ee38dddcf2f378c5")]
    [InlineData("f32", null, "ff10c97d10726b464688ea8d8e5111b5")]
    [InlineData("f16", "q8_0", "486a166b0ec8ec1ca0d7f4cd989396ca")]
    public void Codecs_are_part_of_it(string codec, string? host, string fingerprint)
    {
        using var folder = new TemporaryFolder();
        TinyModel tiny = TinyModel.Llama with { Layers = 4, Window = 10, FullEvery = 2, HeadDim = 32 };
        using var model = LanguageModel.Load(tiny.WriteTo(folder["tiny.gguf"]));
        EngineOptions options = StoredAs.Both(StoredAs.Codec(codec)) with { KvHostCodec = host is null ? null : StoredAs.Codec(host) };
        Assert.StartsWith(fingerprint, FingerprintOf(model, options), StringComparison.Ordinal);
    }

    static string FingerprintOf(LanguageModel model, EngineOptions options)
    {
        using var engine = new InferenceEngine(model, options);
        return engine.Cache.Fingerprint.ToString();
    }
}
