using Kvasir.Inference.Kernels;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Measurement;

/// <summary>That measuring works; what it finds depends on the machine and its other users.</summary>
public sealed class MachineSpeedTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_machine_can_do_something()
    {
        ThreadLimits limits = MachineSpeed.Measure(1, cancellation: TestContext.Current.CancellationToken);
        Assert.All([limits.ReadBytesPerS, limits.CopyBytesPerS, limits.Fp32PerS, limits.Int8PerS], rate => Assert.InRange(rate, 1e6, 1e18));
        Assert.NotEmpty(limits.Int8Instructions);
    }

    [Fact]
    public void Every_instruction_set_has_peaks()
    {
        foreach (InstructionSet set in InstructionSets.Available)
            foreach (PeakLoop[] loops in (PeakLoop[][])[[.. ArithmeticPeak.Fp32(set)], [.. ArithmeticPeak.Int8(set)]])
            {
                Assert.NotEmpty(loops);
                Assert.Distinct(loops.Select(loop => loop.Name));
                Assert.All(loops, loop => loop.Run(3));
            }
    }

    [Theory]
    [InlineData(1, new[] { 1 })]
    [InlineData(2, new[] { 1, 2 })]
    [InlineData(6, new[] { 1, 2, 4, 6 })]
    [InlineData(8, new[] { 1, 2, 4, 8 })]
    public void Threads_double_up_to_all(int most, int[] expected) => Assert.Equal(expected, MachineSpeed.ThreadCounts(most));

    [Fact]
    public void A_disk_is_measured_and_left_as_it_was()
    {
        string folder = Path.GetDirectoryName(_folder["x"])!;
        DiskLimits limits = DiskSpeed.Measure(folder, cancellation: TestContext.Current.CancellationToken);
        Assert.Equal(folder, limits.Directory);
        Assert.All([limits.WriteBytesPerS, limits.ReadBytesPerS, limits.RandomReadBytesPerS], rate => Assert.InRange(rate, 1, 1e18));
        Assert.InRange(limits.FlushSeconds, double.Epsilon, 3600);
        Assert.Empty(_folder.Files);
    }

    [Fact]
    public void Measuring_ends_when_cancelled_and_leaves_nothing()
    {
        var cancelled = new CancellationToken(canceled: true);
        Assert.ThrowsAny<OperationCanceledException>(() => MachineSpeed.Measure(1, cancellation: cancelled));
        Assert.ThrowsAny<OperationCanceledException>(
            () => DiskSpeed.Measure(Path.GetDirectoryName(_folder["x"])!, cancellation: cancelled));
        Assert.Empty(_folder.Files);
    }

    [Fact]
    public void A_directory_that_is_not_there_cannot_be_measured() =>
        Assert.Contains("missing: no such directory", Assert.Throws<IOException>(() =>
            DiskSpeed.Measure(_folder["missing"], cancellation: TestContext.Current.CancellationToken)).Message, StringComparison.Ordinal);
}
