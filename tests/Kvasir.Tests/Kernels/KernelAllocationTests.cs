using Kvasir.Inference.Kernels;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Kernels;

/// <summary>Kernels leave nothing for the garbage collector, on none of the threads that compute.</summary>
[Collection(nameof(Allocations))]
public class KernelAllocationTests
{
    /// <summary>Its two items wait for each other, so that each thread has one.</summary>
    struct Meeting(int[] arrived) : IComputeJob
    {
        public readonly void Run(int item, int thread)
        {
            int round = (Interlocked.Increment(ref arrived[0]) + 1) / 2;
            while (Volatile.Read(ref arrived[0]) < 2 * round)
                Thread.Yield();
        }
    }

    [Fact]
    public void Running_a_job_allocates_nothing()
    {
        using var pool = new ComputePool(2);
        var job = new Meeting(new int[1]);
        Assert.Equal(0, Allocations.Of(() =>
        {
            for (int round = 0; round < 100; round++)
                pool.Run(ref job, 2);
        }));
    }

    [Fact]
    public void Attention_allocates_nothing()
    {
        using var problem = new AttentionProblem(AttentionTests.Smol);
        Assert.Equal(0, problem.AllocatedBySteps());
    }
}
