using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Prefixes;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Reuse;

/// <summary>A host tier of fewer bits holds more and gives back a little less than was computed: how much less is stated here.</summary>
public sealed class LossyHostTests : IDisposable
{
    readonly LanguageModel _model = LanguageModel.Load(SagaModel.Path);

    public void Dispose() => _model.Dispose();

    [Theory]
    [InlineData("q8_0", 0.02, 1.8)]
    [InlineData("q4_0", 0.25, 3.3)]
    public void Blocks_come_back_almost_as_they_were_and_take_less_room(string name, double error, double smaller)
    {
        Assert.True(KvCodecs.TryParse(name, out IKvCodec? codec));
        int[] prompt = _model.Tokenizer.Encode(new SagaGenerator(3).Document(20).Text)[..161];
        using CachedEngine exact = new(_model, new EngineOptions { Context = 256, KvReuse = KvReuse.WithinSequence });
        using CachedEngine engine = new(_model,
            new EngineOptions { Context = 256, Sequences = 2, KvHostBytes = 64 << 20, KvHostCodec = codec });
        engine.Ask(prompt);
        engine.Drop(prompt, _ => true, deviceOnly: true);
        CachedEngine.Answer answer = engine.Ask(prompt);
        Assert.Equal((1, 160), (answer.Computed, answer.Use.Host));
        float[] expected = exact.Ask(prompt).Logits;
        double scale = Math.Sqrt(expected.Average(logit => logit * logit)),
            off = Math.Sqrt(expected.Zip(answer.Logits, (one, other) => (one - other) * (one - other)).Average());
        Assert.InRange(off / scale, 1e-6, error); // not exact, or the codec was not in the way
        Assert.True(engine.Engine.Layout.BlockBytes > smaller * engine.Cache.Host!.Layout.BlockBytes);
        using InferenceEngine other = new(_model, new EngineOptions { Context = 256, KvHostBytes = 1 << 20 });
        Assert.NotEqual(other.Cache.Fingerprint, engine.Cache.Fingerprint);
    }
}
