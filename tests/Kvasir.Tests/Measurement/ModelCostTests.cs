using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Inference.Measurement.Speed;
using Kvasir.Inference.Saga;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Measurement;

public class ModelCostTests
{
    static readonly ThreadLimits s_limits = new(1, ReadBytesPerS: 1, CopyBytesPerS: 1, Fp32PerS: 10, Int8PerS: 100, "", default);

    // Counted by hand for saga: d 128, 6 layers, 4 heads and 2 KV heads of 32, feed-forward 384, vocabulary 1462, q8_0, f16 KV.
    const long LayerWeights = 6 * (128 * 128 + 2 * 128 * 64 + 128 * 128 + 3 * 128 * 384), OutputWeights = 128 * 1462;

    [Fact]
    public void Costs_are_those_counted_by_hand()
    {
        ModelCost cost = CostOf(SagaModel.Path);
        Assert.Equal((LayerWeights + OutputWeights) * 34 / 32, cost.WeightBytes);
        Assert.Equal((new Operations(2 * LayerWeights, 0), new Operations(2 * OutputWeights, 0)), (cost.Layers, cost.Output));
        Assert.Equal(6 * 2 * 2 * 32 * 2, cost.KvBytesPerToken);
        Assert.Equal(new Operations(0, 6 * 4 * 32 * 4), cost.AttentionPerToken);
        Assert.Equal(cost.WeightBytes + 10 * cost.KvBytesPerToken, cost.DecodeBytes(10));
        // Two tokens after three others see four and five tokens.
        Assert.Equal(new Operations(2 * cost.Layers.Int8 + cost.Output.Int8, 9 * cost.AttentionPerToken.Fp32), cost.Prefill(2, 3));
    }

    [Fact]
    public void Weights_that_are_not_quantised_are_multiplied_as_floats()
    {
        using TemporaryFolder folder = new();
        using (GgufFile saga = GgufFile.Open(SagaModel.Path))
            Quantizer.Quantize(saga, folder["f16.gguf"], WeightMix.Of(TensorType.F16), cancellation: TestContext.Current.CancellationToken);
        ModelCost cost = CostOf(folder["f16.gguf"]);
        Assert.Equal((new Operations(0, 2 * LayerWeights), new Operations(0, 2 * OutputWeights)), (cost.Layers, cost.Output));
    }

    [Fact]
    public void Each_kind_of_operation_takes_the_time_of_its_own_peak()
    {
        Assert.Equal(3 + 5, new Operations(300, 50).Seconds(s_limits));
        Assert.Equal(350, new Operations(300, 50).All);
    }

    static ModelCost CostOf(string path)
    {
        using var model = LanguageModel.Load(path);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = 64 });
        return ModelCost.Of(engine);
    }
}
