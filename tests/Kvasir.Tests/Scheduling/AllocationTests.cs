using Kvasir.Inference;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Scheduling;

/// <summary>
/// A decode step leaves nothing for the garbage collector, except at a block's end, where handles for the complete block, its lease and the next block are made.
/// It runs alone: a collection that another test causes counts the rest of this thread's allocation context as allocated.
/// What allocations cost is pauses in the middle of somebody's answer.
/// </summary>
[Collection(nameof(AllocationTests)), CollectionDefinition(nameof(AllocationTests), DisableParallelization = true)]
public class AllocationTests
{
    const int HandlesPerBlock = 3, HandleBytes = 64;

    [Theory, MemberData(nameof(Models))]
    public void A_decode_step_allocates_nothing(string name)
    {
        using var folder = new TemporaryFolder();
        using LanguageModel model = LanguageModel.Load(name == "saga" ? SagaModel.Path : Model.ArchitectureTests.Models[name].WriteTo(folder["tiny.gguf"]));
        foreach (InstructionSet set in InstructionSets.Available)
        {
            using var engine = new InferenceEngine(model, new EngineOptions { Context = 256, Threads = 2, InstructionSet = set });
            using Sequence sequence = engine.NewSequence();
            Decode(engine, sequence, 100); // compiles, and grows what grows once
            for (int i = 0; i < 3; i++)
            {
                Decode(engine, sequence, 16 - sequence.Tokens.Length % 16 + 1); // past a block's start
                Assert.Equal(0, Allocated(() => Decode(engine, sequence, 14)));
            }
            Assert.InRange(Allocated(() => Decode(engine, sequence, 16)), 1, HandlesPerBlock * HandleBytes);
        }
    }

    public static TheoryData<string> Models => ["saga", "qwen3-qk-norm", "qwen2-biases"];

    static long Allocated(Action work)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        work();
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    static void Decode(InferenceEngine engine, Sequence sequence, int tokens)
    {
        for (int i = 0; i < tokens; i++)
        {
            sequence.Append(7);
            engine.Forward(sequence, progress: null, CancellationToken.None);
        }
    }
}
