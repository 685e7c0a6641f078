using Kvasir.Inference.Kernels;

namespace Kvasir.Tests.Kernels;

public sealed class AmxPermissionTests
{
    const int Tiles = 1 << 24, Bytes = 1 << 25, Amx = Tiles | Bytes;
    const long Shapes = 1 << 17, Contents = 1 << 18, Kept = Shapes | Contents | 0xE7;

    [Fact]
    public void A_kernel_that_agrees_is_asked_once()
    {
        int asked = 0;
        var permission = new AmxPermission(new AmxMachine(Amx | 1, () => Kept, () => asked++));
        Assert.True(permission.IsGranted);
        Assert.Null(permission.Refusal);
        Assert.True(permission.IsGranted);
        Assert.Equal(1, asked);
    }

    /// <summary>Neither the states, whose instruction might not be there, nor the kernel.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(Tiles)]
    [InlineData(Bytes)]
    public void A_processor_without_it_is_asked_for_nothing_else(int features)
    {
        var permission = new AmxPermission(new AmxMachine(features, NobodyAsks, NobodyAsks));
        Assert.Equal((false, false, null), (permission.HasAmx, permission.IsGranted, permission.Refusal));
    }

    [Theory]
    [InlineData(0xE7)]
    [InlineData(Shapes)]
    [InlineData(Contents)]
    public void A_system_that_does_not_keep_tiles_is_not_asked(long states)
    {
        var permission = new AmxPermission(new AmxMachine(Amx, () => states, NobodyAsks));
        Assert.Equal((true, false, "the system does not keep tiles"), (permission.HasAmx, permission.IsGranted, permission.Refusal));
    }

    /// <summary>ENOSPC: a thread's stack for signals is too small; EINVAL: a kernel before 5.16; EPERM: a sandbox.</summary>
    [Theory]
    [InlineData(-28, "the kernel refused it (error 28)")]
    [InlineData(-22, "the kernel refused it (error 22)")]
    [InlineData(-1, "the kernel refused it (error 1)")]
    public void A_kernel_that_refuses_is_told(long answer, string expected)
    {
        var permission = new AmxPermission(new AmxMachine(Amx, () => Kept, () => answer));
        Assert.Equal((true, false, expected), (permission.HasAmx, permission.IsGranted, permission.Refusal));
    }

    /// <summary>What runs here is what this machine has: the set is there if and only if permission is.</summary>
    [Fact]
    public void The_set_is_there_if_it_may_be_used() =>
        Assert.Equal(AmxPermission.Instance.IsGranted, InstructionSets.Available.Contains(InstructionSet.Amx));

    static long NobodyAsks() => throw new InvalidOperationException("asked");
}
