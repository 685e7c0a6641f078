using BenchmarkDotNet.Attributes;
using Kvasir.Inference.Sampling;

namespace Kvasir.Benchmarks;

/// <summary>Choosing a token from 151,936 logits: the limit is reading them, some 0.6 MB from the cache.</summary>
[Config(typeof(WithRates))]
public class SamplerBenchmark : IRated
{
    const int Vocabulary = 151_936;

    readonly float[] _logits = new float[Vocabulary];
    Sampler _sampler = null!;

    /// <summary>Greedy, the usual filters, or the largest set that they leave.</summary>
    [Params("greedy", "top-k 40", "top-p 0.95")]
    public string Options { get; set; } = "";

    /// <inheritdoc/>
    public double Bytes => sizeof(float) * (double)Vocabulary;

    /// <inheritdoc/>
    public double Operations => 0;

    /// <summary>Logits of a normal distribution, as those of a language model nearly are.</summary>
    [GlobalSetup]
    public void Setup()
    {
        var random = new Random(1);
        for (int i = 0; i < Vocabulary; i++)
            _logits[i] = (float)(3 * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
        _sampler = new Sampler(Options switch
        {
            "greedy" => SamplingOptions.Greedy,
            "top-k 40" => SamplingOptions.Greedy with { Temperature = 0.8f, TopK = 40, Seed = 1 },
            _ => SamplingOptions.Greedy with { Temperature = 0.8f, TopK = 0, TopP = 0.95f, MinP = 0, Seed = 1 },
        });
    }

    /// <summary>One token.</summary>
    [Benchmark]
    public int Next() => _sampler.Next(_logits, []);
}
