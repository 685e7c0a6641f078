using Kvasir.Vulkan.Recording;

namespace Kvasir.Tests.Vulkan;

/// <summary>Where a barrier has to be, and where none is, without any driver.</summary>
public class RecorderTests
{
    static readonly Kernel s_copy = new("copy", [Access.Read, Access.Write]), s_change = new("change", [Access.ReadWrite]);

    static readonly DeviceBuffer s_a = new(1024, 0), s_b = new(1024, 0), s_c = new(1024, 0);

    readonly Recorder _recorder = new();

    /// <summary>What was recorded: | for a barrier, k for a kernel, c for a copy, z for clearing.</summary>
    string Recorded => string.Concat(_recorder.Finish().Select(command => command switch
    {
        Command.Barrier => '|',
        Command.Dispatch => 'k',
        Command.Copy => 'c',
        _ => 'z',
    }));

    void Run(DeviceRange from, DeviceRange to) => _recorder.Dispatch(s_copy, 1, 1, [], from, to);

    [Fact]
    public void What_reads_what_was_written_waits_and_so_does_what_writes_what_was_read_or_written()
    {
        Run(s_a.All, s_b.All);
        Run(s_b.All, s_c.All); // reads what was written
        _recorder.Copy(s_a.All, s_b.All); // writes what was read
        _recorder.Clear(s_b.All); // writes what was written
        _recorder.Dispatch(s_change, 1, 1, [], s_b.All);
        _recorder.Dispatch(s_change, 1, 1, [], s_b.All);
        Assert.Equal("|k|k|c|z|k|k", Recorded);
    }

    [Fact]
    public void What_meets_nothing_goes_on_at_once()
    {
        Run(s_a.All, s_b.All);
        Run(s_a.All, s_c.All); // both read
        _recorder.Copy(s_a.All.Part(0, 512), s_a.All.Part(512, 512)); // but this writes what they read
        Run(s_b.All.Part(0, 16), s_a.All.Part(0, 16));
        Assert.Equal("|kk|c|k", Recorded);
    }

    [Fact]
    public void Ranges_that_only_touch_do_not_meet()
    {
        _recorder.Clear(s_a.All.Part(0, 512));
        _recorder.Clear(s_a.All.Part(512, 512));
        _recorder.Clear(s_a.All.Part(508, 4));
        Assert.Equal("|zz|z", Recorded);
    }

    [Fact]
    public void A_command_does_not_wait_for_itself()
    {
        Run(s_a.All, s_a.All);
        Assert.Equal("|k", Recorded);
    }

    [Fact]
    public void What_the_processor_reads_is_there_at_the_end()
    {
        using HostBuffer host = new(64);
        _recorder.Copy(s_a.All.Part(0, 64), host.All);
        Assert.Equal("|c|", Recorded);
    }

    [Fact]
    public void Parts_beyond_the_memory_and_bindings_that_are_missing_are_refused()
    {
        Assert.Throws<ArgumentOutOfRangeException>(() => s_a.All.Part(1000, 32));
        Assert.Throws<ArgumentException>(() => _recorder.Dispatch(s_copy, 1, 1, [], s_a.All));
        Assert.Throws<ArgumentException>(() => _recorder.Copy(s_a.All, s_b.All.Part(0, 8)));
        Assert.Throws<InvalidOperationException>(() => s_a.Span<float>(0, 1).Length);
    }
}
