using Kvasir.Inference.Kernels;

namespace Kvasir.Tests.Kernels;

public class ComputePoolTests
{
    struct Count(int[] runs) : IComputeJob
    {
        public readonly void Run(int item, int thread) => Interlocked.Increment(ref runs[item]);
    }

    struct Fail(int at) : IComputeJob
    {
        public readonly void Run(int item, int thread)
        {
            if (item == at)
                throw new DivideByZeroException();
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(7)]
    public void Every_item_runs_exactly_once_in_every_job(int threads)
    {
        using var pool = new ComputePool(threads);
        for (int round = 0; round < 20_000; round++)
        {
            int[] runs = new int[round % 13];
            var job = new Count(runs);
            pool.Run(ref job, runs.Length);
            Assert.DoesNotContain(runs, count => count != 1);
        }
    }

    /// <summary>
    /// Short jobs before long ones: a thread that comes late from the short one must not take the long one's items before it begins.
    /// </summary>
    [Fact]
    public void Late_threads_do_not_run_ahead()
    {
        using var pool = new ComputePool(7);
        int[][] runs = [new int[2], new int[64]];
        for (int round = 0; round < 200_000; round++)
        {
            int[] counts = runs[round % 2];
            Array.Clear(counts);
            var job = new Count(counts);
            pool.Run(ref job, counts.Length);
            Assert.False(counts.AsSpan().ContainsAnyExcept(1), $"round {round}: {string.Join(' ', counts)}");
        }
    }

    [Fact]
    public void Jobs_of_many_callers_do_not_mix()
    {
        using var pool = new ComputePool(3);
        Parallel.For(0, 8, _ =>
        {
            for (int round = 0; round < 500; round++)
            {
                int[] runs = new int[17];
                var job = new Count(runs);
                pool.Run(ref job, runs.Length);
                Assert.DoesNotContain(runs, count => count != 1);
            }
        });
    }

    [Fact]
    public void Parked_threads_wake_up()
    {
        using var pool = new ComputePool(4);
        for (int round = 0; round < 20; round++)
        {
            Thread.Sleep(2); // longer than the spin: the helpers are parked
            int[] runs = new int[50];
            var job = new Count(runs);
            pool.Run(ref job, runs.Length);
            Assert.DoesNotContain(runs, count => count != 1);
        }
    }

    [Fact]
    public void A_failure_reaches_the_caller_and_the_pool_goes_on()
    {
        using var pool = new ComputePool(3);
        var fail = new Fail(at: 5);
        Assert.IsType<DivideByZeroException>(Assert.Throws<InvalidOperationException>(() => pool.Run(ref fail, 9)).InnerException);
        int[] runs = new int[9];
        var job = new Count(runs);
        pool.Run(ref job, runs.Length);
        Assert.DoesNotContain(runs, count => count != 1);
    }
}
