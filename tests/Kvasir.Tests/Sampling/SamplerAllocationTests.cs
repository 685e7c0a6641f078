using Kvasir.Inference.Sampling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Sampling;

/// <summary>Choosing a token leaves nothing for the garbage collector.</summary>
[Collection(nameof(Allocations))]
public class SamplerAllocationTests
{
    [Fact]
    public void Choosing_allocates_nothing_once_warm()
    {
        float[] logits = LargeVocabularyTests.Make("random", 20_000, new Random(1));
        foreach (SamplingOptions options in LargeVocabularyTests.Options)
        {
            Sampler sampler = new(options);
            long allocated = Allocations.Of(() =>
            {
                for (int i = 0; i < 10; i++)
                    sampler.Next(logits, []);
            });
            Assert.True(allocated == 0, $"{allocated} bytes with {options}");
        }
    }

    [Fact]
    public void Greedy_choices_with_penalties_allocate_nothing_once_warm()
    {
        SamplingOptions options = SamplingOptions.Greedy with
        {
            FrequencyPenalty = 1,
            PresencePenalty = 1,
            LogitBias = new Dictionary<int, float> { [3] = 1 },
        };
        Sampler sampler = new(options);
        float[] logits = new float[1000];
        int[] history = [.. Enumerable.Range(0, 500).Select(i => i % 100)];
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int length = 200; length < 500; length++)
                sampler.Next(logits, history.AsSpan(0, length), 10);
        }));
    }

    [Fact]
    public void Text_in_which_no_stop_can_begin_passes_as_it_is()
    {
        StopFilter filter = new(["END", "stop"]);
        string text = "a piece", passed = "";
        Assert.Equal(0, Allocations.Of(() => passed = filter.Append(text)));
        Assert.Same(text, passed);
    }
}
