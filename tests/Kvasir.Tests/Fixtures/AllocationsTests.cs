namespace Kvasir.Tests.Fixtures;

/// <summary>The measure sees what it has to see: otherwise each test that finds nothing would prove nothing.</summary>
[Collection(nameof(Allocations))]
public sealed class AllocationsTests
{
    static object? s_kept;

    [Fact]
    public void The_smallest_object_counts() => Assert.Equal(24, Allocations.Of(() => Volatile.Write(ref s_kept, new object())));

    [Fact]
    public void What_another_thread_allocates_counts()
    {
        using SemaphoreSlim wish = new(0), done = new(0);
        var other = new Thread(() =>
        {
            for (wish.Wait(); s_kept is not null; wish.Wait())
            {
                Volatile.Write(ref s_kept, new byte[1000]);
                done.Release();
            }
        });
        s_kept = this;
        other.Start();
        Assert.InRange(Allocations.Of(() => Ask()), 1000, 1100);
        s_kept = null;
        wish.Release();
        other.Join();

        void Ask()
        {
            wish.Release();
            done.Wait(TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public void Nothing_is_nothing() => Assert.Equal(0, Allocations.Of(() => { }));
}
