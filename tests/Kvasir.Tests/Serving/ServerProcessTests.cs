using System.Diagnostics;
using Kvasir.Serving;

namespace Kvasir.Tests.Serving;

public class ServerProcessTests
{
    static readonly bool s_hasProc = Directory.Exists("/proc/self");

    [Fact]
    public void A_process_uses_memory_and_time()
    {
        Assert.SkipUnless(s_hasProc, "needs /proc");
        ProcessUsage usage = ProcessUsage.Of(Environment.ProcessId)!.Value;
        Assert.InRange(usage.ResidentBytes, 1 << 20, usage.PeakBytes);
        Assert.True(usage.CpuSeconds > 0);
        Assert.Null(ProcessUsage.Of(int.MaxValue));
    }

    [Fact]
    public void Disposing_ends_a_server_with_all_that_it_started_and_removes_its_folder()
    {
        Assert.SkipUnless(s_hasProc, "needs /proc and sh");
        ServerProcess process = new(ServerSpec.ParseAll(["a=sh -c 'echo {dir}; sleep 600 & echo $!; wait' {port}"])[0], 1);
        string[] said = WaitFor<string[]>(() => process.LastLines.Split(" / ") is [var folder, var child] ? [folder, child] : null);
        Assert.True(Directory.Exists(said[0]));
        process.Dispose();
        Assert.False(Directory.Exists(said[0]));
        WaitFor<string>(() => IsGone(said[1]) ? "gone" : null);
    }

    /// <summary>Nobody may have reaped it yet: a zombie is gone as well.</summary>
    static bool IsGone(string process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process}/stat").Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return true;
        }
    }

    static T WaitFor<T>(Func<T?> condition) where T : class
    {
        for (Stopwatch clock = Stopwatch.StartNew(); clock.Elapsed < TimeSpan.FromSeconds(30); Thread.Yield())
            if (condition() is { } value)
                return value;
        throw new TimeoutException();
    }
}
