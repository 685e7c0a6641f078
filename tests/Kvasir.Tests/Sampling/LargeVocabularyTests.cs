using Kvasir.Inference.Sampling;

namespace Kvasir.Tests.Sampling;

/// <summary>Large vocabularies are scanned and not sorted, and nobody can tell from the choices.</summary>
public class LargeVocabularyTests
{
    static readonly SamplingOptions s_greedy = SamplingOptions.Greedy, s_usual = new() { Temperature = 0.8f, Seed = 5 };

    internal static SamplingOptions[] Options =>
    [
        s_greedy, s_usual, s_usual with { TopK = 1 }, s_usual with { TopK = 7, TopP = 1, MinP = 0 },
        s_usual with { TopK = 300, TopP = 0.999f, MinP = 0 },
        s_usual with { TopK = 5000, TopP = 1, MinP = 0, Temperature = 3 }, s_usual with { TopK = 0 }, s_usual with { TopK = 0, TopP = 1 },
        s_usual with { TopK = 0, MinP = 0 }, s_usual with { TopK = 0, MinP = 0, TopP = 0.5f }, s_usual with { TopK = 0, MinP = 1 },
        s_usual with { TopK = 0, MinP = 0, TopP = 1, Temperature = 2 },
        s_usual with { TopK = 0, MinP = 1e-6f, TopP = 0.9999999f, Temperature = 5 },
        s_usual with { TopNSigma = 1 }, s_usual with { TopK = 0, MinP = 0, TopP = 1, TopNSigma = 0.3f, Temperature = 2 },
        s_usual with { TypicalP = 0.3f }, s_usual with { TopK = 0, MinP = 0, TopP = 1, TypicalP = 0.9f },
        s_usual with { MinP = 0, Xtc = new() { Probability = 1, Threshold = 0.05f } },
        s_usual with { Xtc = new() { Probability = 0.5f }, TypicalP = 0.95f, TopNSigma = 2, Temperature = 1.5f },
        s_usual with { Mirostat = new() }, s_usual with { Mirostat = new() { Tau = 1, Eta = 0.9f }, Temperature = 2 },
    ];

    public static TheoryData<string, int> Logits => new MatrixTheoryData<string, int>(
        ["random", "peaked", "ascending", "descending", "all equal", "few values", "zeros of both signs", "far below zero"],
        [1, 15, 16, 17, 1000, 1024, 1025, 5003]);

    internal static float[] Make(string kind, int count, Random random) => [.. Enumerable.Range(0, count).Select(i => kind switch
    {
        "random" => (float)(random.NextDouble() * 12 - 6),
        "peaked" => random.Next(200) == 0 ? 15 + random.NextSingle() : random.NextSingle() * 4,
        "ascending" => i * 0.01f,
        "descending" => -i * 0.01f,
        "all equal" => 1.5f,
        "few values" => random.Next(5),
        "zeros of both signs" => random.Next(2) == 0 ? 0f : -0f,
        _ => -1e6f + random.Next(64) * 0.0625f,
    })];

    [Theory, MemberData(nameof(Logits))]
    public void Choices_are_those_of_the_definition(string kind, int count)
    {
        foreach (SamplingOptions options in Options)
        {
            Random random = new(count);
            Sampler sampler = new(options);
            ReferenceSampler reference = new(options);
            for (int draw = 0; draw < 4; draw++) // one sampler for all: nothing may stay behind from the token before
            {
                float[] logits = Make(kind, count, random);
                int expected = reference.Next(logits), actual = sampler.Next(logits, []);
                Assert.True(expected == actual, $"draw {draw}: {actual} instead of {expected} with {options}");
            }
        }
    }

    [Fact]
    public void What_is_no_number_is_never_chosen_beside_numbers()
    {
        foreach (SamplingOptions options in Options)
            foreach (int count in (int[])[2, 16, 40, 3000])
            {
                float[] logits =
                    [.. Enumerable.Range(0, count).Select(i => i % 3 == 1 ? i % 7 : i % 2 == 0 ? float.NaN : float.NegativeInfinity)];
                Assert.All(Enumerable.Range(0, 5), _ => Assert.Equal(1, new Sampler(options).Next([.. logits], []) % 3));
            }
    }

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void Where_nothing_is_a_number_the_first_is_as_good_as_any(float logit)
    {
        float[] logits = [.. Enumerable.Repeat(logit, 100)];
        Assert.All(Options, options => Assert.Equal(0, new Sampler(options).Next([.. logits], [])));
    }

    [Fact]
    public void An_infinite_logit_is_chosen()
    {
        float[] logits = [.. Enumerable.Range(0, 100).Select(i => i == 77 ? float.PositiveInfinity : i)];
        Assert.All(Options, options => Assert.Equal(77, new Sampler(options).Next([.. logits], [])));
    }
}
