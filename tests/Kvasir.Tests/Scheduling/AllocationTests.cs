using Kvasir.Inference;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Scheduling;

/// <summary>
/// A decode step leaves nothing for the garbage collector, except at a block's end, where handles for the complete block, its lease and the
/// next block are made. What allocations cost is pauses in the middle of somebody's answer.
/// </summary>
[Collection(nameof(Allocations))]
public class AllocationTests
{
    const int HandlesPerBlock = 3, HandleBytes = 56;

    [Theory, MemberData(nameof(Models))]
    public void A_decode_step_allocates_nothing(string name)
    {
        using var folder = new TemporaryFolder();
        using LanguageModel model =
            LanguageModel.Load(name == "saga" ? SagaModel.Path : Model.ArchitectureTests.Models[name].WriteTo(folder["tiny.gguf"]));
        foreach (InstructionSet set in InstructionSets.Available)
        {
            using var engine = new InferenceEngine(model, new EngineOptions { Context = 512, Threads = 2, InstructionSet = set });
            using Sequence sequence = engine.NewSequence();
            Decode(engine, sequence, 100); // compiles, and grows what grows once
            // within a block
            Assert.Equal(0, Allocations.Of(() => Decode(engine, sequence, 14),
                before: () => Decode(engine, sequence, 16 - sequence.Tokens.Length % 16 + 1)));
            Assert.InRange(Allocations.Of(() => Decode(engine, sequence, 16)), 24 * HandlesPerBlock, HandleBytes * HandlesPerBlock);
        }
    }

    public static TheoryData<string> Models => ["saga", "qwen3-qk-norm", "qwen2-biases"];

    static void Decode(InferenceEngine engine, Sequence sequence, int tokens)
    {
        for (int i = 0; i < tokens; i++)
        {
            sequence.Append(7);
            engine.Forward(sequence, progress: null, CancellationToken.None);
        }
    }

    /// <summary>
    /// Its text, its place among what the caller reads, among the sequence's tokens and where guesses are looked up, and its part of a
    /// block's handles.
    /// </summary>
    [Fact]
    public void A_served_token_leaves_little_more_than_its_text()
    {
        const int tokens = 400, most = 120;
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        using var engine = new InferenceEngine(model, new EngineOptions { Context = 1024, Threads = 2, KvReuse = KvReuse.WithinSequence });
        long Of(int count) => Allocations.Of(() => Serve(engine, count));
        Assert.InRange((Of(2 * tokens) - Of(tokens)) / tokens, 24, most);
    }

    static void Serve(InferenceEngine engine, int tokens)
    {
        GenerationOptions options = new() { MaxTokens = tokens, IgnoresEnds = true, Sampling = SamplingOptions.Greedy };
        engine.Start([7, 300], options).Result.Wait(TestContext.Current.CancellationToken);
    }
}
