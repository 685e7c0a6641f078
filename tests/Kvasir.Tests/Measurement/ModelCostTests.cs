using Kvasir.Inference;
using Kvasir.Inference.Measurement;
using Kvasir.Inference.Saga;

namespace Kvasir.Tests.Measurement;

public class ModelCostTests
{
    /// <summary>Counted by hand for saga: d 256, 6 layers, 8 heads and 4 KV heads of 32, feed-forward 512, vocabulary 1024, q8_0, f16 KV.</summary>
    [Fact]
    public void Costs_are_those_counted_by_hand()
    {
        using var model = LanguageModel.Load(SagaModel.Path);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = 64 });
        long layer = 256 * 256 + 2 * 256 * 128 + 256 * 256 + 3 * 256 * 512, output = 256 * 1024, weights = 6 * layer + output;
        ModelCost cost = ModelCost.Of(engine);
        Assert.Equal(weights * 34 / 32, cost.WeightBytes);
        Assert.Equal((2 * weights, 2 * output), (cost.Flops, cost.OutputFlops));
        Assert.Equal(6 * 4 * 2 * 32 * 2, cost.KvBytesPerToken);
        Assert.Equal(6 * 8 * 32 * 4, cost.AttentionFlopsPerToken);
        Assert.Equal(cost.WeightBytes + 10 * cost.KvBytesPerToken, cost.DecodeBytes(10));
        // Two tokens after three others see four and five tokens.
        Assert.Equal(2 * (cost.Flops - cost.OutputFlops) + cost.OutputFlops + 9.0 * cost.AttentionFlopsPerToken, cost.PrefillFlops(2, 3));
    }
}
