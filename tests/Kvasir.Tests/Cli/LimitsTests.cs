using System.Diagnostics;
using System.Text.Json;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>What the machine can do: measured once, then known.</summary>
public sealed class LimitsTests : IDisposable
{
    readonly TemporaryFolder _cache = new(), _disk = new();

    string CacheHome => Path.GetDirectoryName(_cache["x"])!;
    string Disk => Path.GetDirectoryName(_disk["x"])!;

    public void Dispose()
    {
        _cache.Dispose();
        _disk.Dispose();
    }

    [Fact]
    public void Known_limits_are_printed_without_measuring()
    {
        Limits.Keep(CacheHome);
        KvasirResult result = RunWith(CacheHome, "limits", "--no-disk");
        Assert.All(["11.00 GB/s", "12.00 GB/s", "13.0 GOP/s", "14.0 GOP/s", "disk: not measured: not asked for", "measured 2026-01-0"],
            fact => Assert.Contains(fact, result.Answer, StringComparison.Ordinal));
        Assert.Empty(result.Errors);
        JsonElement json = RunWith(CacheHome, "limits", "--no-disk", "--json").Json;
        Assert.Equal(Environment.ProcessorCount, json.GetProperty("machine").GetProperty("logical_processors").GetInt32());
        Assert.All(json.GetProperty("threads").EnumerateArray(),
            entry => Assert.Equal(11e9, entry.GetProperty("read_bytes_per_s").GetDouble()));
    }

    [Fact]
    public void A_disk_is_measured_once_and_nothing_stays_on_it()
    {
        Limits.Keep(CacheHome);
        KvasirResult first = RunWith(CacheHome, "limits", "--dir", Disk, "--json");
        Assert.Contains("measuring disk: writing\n", first.Errors, StringComparison.Ordinal);
        Assert.Equal(Disk, first.Json.GetProperty("disk").GetProperty("directory").GetString());
        Assert.Empty(_disk.Files);
        KvasirResult second = RunWith(CacheHome, "limits", "--dir", Disk, "--json");
        Assert.Equal(first.Output, second.Output);
        Assert.Empty(second.Errors);
    }

    [Fact]
    public void A_directory_that_is_not_there_is_a_mistake_of_usage() =>
        RunWith(CacheHome, "limits", "--dir", _disk["missing"]).Fails(2, "missing: no such directory");

    [Fact]
    public void Limits_that_cannot_be_kept_are_printed_with_a_note()
    {
        string file = _cache.Write("file", [1]);
        KvasirResult result = RunWith(file, "bench", "-p", "4", "-n", "0", "-r", "1", "-t", "1", "--json");
        Assert.Equal("prefill 4 at 0", result.Json.GetProperty("tests")[0].GetProperty("test").GetString());
        Assert.Contains("the limits are not kept: ", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void An_interrupt_ends_measuring_with_one_line()
    {
        using KvasirProcess process = StartWith(CacheHome, "limits");
        WaitFor(LimitsFile.In(Path.Combine(CacheHome, "kvasir"))); // written after the first number of threads
        process.Interrupt();
        KvasirResult result = process.Finish();
        Assert.Equal((1, ""), (result.ExitCode, result.Output));
        Assert.Equal("kvasir: interrupted", KvasirResult.Lines(result.Errors)[^1]);
    }

    [Fact]
    public void Bench_stands_beside_known_limits()
    {
        Limits.Keep(CacheHome, scale: 1e6);
        KvasirResult result = RunWith(CacheHome, "bench", "-p", "16", "-n", "4", "-r", "1", "--json");
        JsonElement[] tests = [.. result.Json.GetProperty("tests").EnumerateArray()];
        Assert.Equal(["int8 peak, attention fp32 peak", "memory read meanwhile"], tests.Select(test => test.GetProperty("limit_name").GetString()));
        Assert.InRange(tests[0].GetProperty("limit").GetDouble(), 13e6, 14e6); // GOP/s, between both peaks
        Assert.InRange(tests[1].GetProperty("limit").GetDouble(), 0.01, 11e4); // GB/s, as memory gives them now
        Assert.Equal(11e15, result.Json.GetProperty("limits").GetProperty("read_bytes_per_s").GetDouble());
        Assert.Contains("measured 2026-01-0", result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("measuring", result.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void Limits_that_a_run_exceeds_are_measured_again_and_the_larger_kept()
    {
        string path = Limits.Keep(CacheHome, scale: 1e-6);
        KvasirResult result = RunWith(CacheHome, "bench", "-p", "0", "-n", "4", "-r", "1", "-t", "1", "--json");
        double raised = result.Json.GetProperty("limits").GetProperty("read_bytes_per_s").GetDouble();
        Assert.True(raised > 11e3);
        Assert.Contains("faster than the limits", result.Errors, StringComparison.Ordinal);
        Assert.Equal(raised, LimitsFile.Read(path, MachineIdentity.Current())!.For(1)!.ReadBytesPerS);
    }

    static void WaitFor(string path)
    {
        var clock = Stopwatch.StartNew();
        while (!File.Exists(path))
        {
            Assert.True(clock.Elapsed < TimeSpan.FromSeconds(60), $"{path} does not appear");
            Thread.Sleep(5);
        }
    }
}
