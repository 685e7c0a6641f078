using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.Inference.Synthesis;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>
/// What rounding activations to eight bits costs: logits of a model against those of the same weights expanded to f32, which no activation
/// is rounded for. The measure is the root mean square of the difference over the standard deviation of the logits.
/// </summary>
public class PrecisionTests
{
    const int Tokens = 96;

    static readonly ModelSpec s_tiny = new()
    {
        Name = "tiny", Source = "a test", Architecture = "llama", Context = 512, Width = 256, Vocabulary = 2048, IsTied = true,
        Norm = new(NormKind.Rms, 1e-5f), Parameters = null, ActiveParameters = null,
        Layers = [.. Enumerable.Range(0, 8).Select(i => new LayerSpec
        {
            Attention = new(8, 2, 32, 32, null, i) { Rope = new(10_000, 32, RopeStyle.Adjacent) },
            FeedForward = new(512, "silu"),
        })],
    };

    [Theory]
    [InlineData(TensorType.F16, 1e-5)]
    [InlineData(TensorType.BF16, 1e-5)]
    [InlineData(TensorType.Q8_0, 0.03)]
    [InlineData(TensorType.Q5_1, 0.03)]
    [InlineData(TensorType.Q5_0, 0.03)]
    [InlineData(TensorType.Q4_1, 0.03)]
    [InlineData(TensorType.Q4_0, 0.03)]
    public void Logits_are_near_those_of_the_same_weights_in_f32(TensorType type, double bound)
    {
        using var folder = new TemporaryFolder();
        using (GgufFile saga = GgufFile.Open(SagaModel.Path))
            Quantizer.Quantize(saga, folder["typed.gguf"], WeightMix.Of(type), cancellation: TestContext.Current.CancellationToken);
        AssertNear(folder, bound);
    }

    /// <summary>
    /// K-quants cannot be made of saga. Random ones are harsher than any trained: scales and minimums that do not fit make attention sharp.
    /// </summary>
    [Theory]
    [InlineData("f16", 1e-5)]
    [InlineData("q8_0", 0.04)]
    [InlineData("q4_k_m", 0.12)]
    public void Logits_of_random_weights_too(string mix, double bound)
    {
        using var folder = new TemporaryFolder();
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        new SyntheticModel(s_tiny, WeightMix.All[mix], seed: 3).Write(folder["typed.gguf"], cancellation: cancellation);
        AssertNear(folder, bound);
    }

    static void AssertNear(TemporaryFolder folder, double bound)
    {
        using (GgufFile typed = GgufFile.Open(folder["typed.gguf"]))
            Quantizer.Quantize(
                typed, folder["f32.gguf"], WeightMix.Of(TensorType.F32), cancellation: TestContext.Current.CancellationToken);
        double difference = Difference(Logits(folder["f32.gguf"]), Logits(folder["typed.gguf"]));
        TestContext.Current.TestOutputHelper?.WriteLine($"{difference:g3} of the logits' standard deviation");
        Assert.InRange(difference, 0, bound);
    }

    static double Difference(float[][] exact, float[][] rounded)
    {
        double squares = 0, variance = 0;
        for (int token = 0; token < Tokens; token++)
        {
            double mean = exact[token].Average();
            for (int i = 0; i < exact[token].Length; i++)
            {
                squares += Math.Pow(rounded[token][i] - exact[token][i], 2);
                variance += Math.Pow(exact[token][i] - mean, 2);
            }
        }
        return Math.Sqrt(squares / variance);
    }

    static float[][] Logits(string path)
    {
        using LanguageModel model = LanguageModel.Load(path);
        using var engine = new InferenceEngine(model, StoredAs.Floats with { Context = 128 });
        using Sequence sequence = engine.NewSequence();
        sequence.Append([.. Text(model)]);
        return engine.ComputeLogits(sequence);
    }

    static int[] Text(LanguageModel model)
    {
        int[] text = model.Tokenizer.Encode("Once upon a time, Solveig the painter went out to the great hall. The grass smelled sweet. ");
        return [.. Enumerable.Range(0, Tokens).Select(i => text[i % text.Length])];
    }
}
