namespace Kvasir.Tests.Fixtures;

/// <summary>
/// What work leaves for the garbage collector, on whatever thread. Tests that ask run one after another, when all others are over, since
/// everybody's allocations count.
/// </summary>
[CollectionDefinition(nameof(Allocations), DisableParallelization = true)]
public static class Allocations
{
    const int Rounds = 25;

    /// <summary>
    /// Bytes that all threads allocate while work is done: the least of several times. Work that allocates does so each time; the runtime,
    /// which compiles in the background, and whoever reports the tests do so now and then.
    /// </summary>
    /// <param name="work">What is measured.</param>
    /// <param name="before">What has to be done before, each time, and does not count.</param>
    public static long Of(Action work, Action? before = null)
    {
        long least = long.MaxValue;
        for (int round = 0; round < Rounds && least > 0; round++)
        {
            if (round > 0)
                Thread.Sleep(round); // what others do in the background may last longer than work that takes no time
            before?.Invoke();
            long start = GC.GetTotalAllocatedBytes(precise: true);
            work();
            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - start);
        }
        return least;
    }
}
