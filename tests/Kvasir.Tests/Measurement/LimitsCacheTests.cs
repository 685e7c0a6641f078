using System.Text;
using Kvasir.Inference.Measurement.Limits;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Measurement;

public sealed class LimitsCacheTests : IDisposable
{
    static readonly MachineIdentity s_machine = new("Some CPU", 4, "vector256", "Some OS 1.0", 8L << 30);

    readonly TemporaryFolder _folder = new();
    int _measurements;

    string Home => _folder["kvasir"];
    string FilePath => LimitsFile.In(Home);

    public void Dispose() => _folder.Dispose();

    LimitsCache Open(MachineIdentity? machine = null, double scale = 1) => new(Home, machine ?? s_machine, threads =>
    {
        _measurements++;
        return Limits.Of(threads, scale);
    });

    /// <summary>Two machines of Arm that share a home are to be told apart.</summary>
    [Fact]
    public void Arms_cores_are_named_by_their_numbers()
    {
        string[] lines = ["processor\t: 0", "CPU implementer\t: 0x41", "CPU architecture: 8", "CPU part\t: 0xd05", "", "processor\t: 1",
            "CPU implementer\t: 0x41", "CPU part\t: 0xd05", "processor\t: 2", "CPU implementer\t: 0x41", "CPU part\t: 0xd0b", "Hardware"];
        Assert.Equal(["implementer 0x41 part 0xd05", "implementer 0x41 part 0xd0b"], MachineIdentity.PartsOf(lines));
        Assert.Equal("(family 25, model 17)", MachineIdentity.Kind(0xA10F11)); // Zen 4
        Assert.Equal("(family 26, model 2)", MachineIdentity.Kind(0xB00F21)); // Zen 5
        Assert.Equal("(family 6, model 143)", MachineIdentity.Kind(0x806F8)); // Sapphire Rapids
        Assert.Empty(MachineIdentity.PartsOf(["model name\t: Some CPU"]));
    }

    [Fact]
    public void What_is_measured_once_is_known_to_the_next_run()
    {
        LimitsCache first = Open();
        ThreadLimits measured = first.Get(2);
        first.Add(Limits.OfDisk("/somewhere"));
        LimitsCache second = Open();
        Assert.Equal(measured, second.Get(2));
        Assert.Equal(Limits.OfDisk("/somewhere"), second.Limits.For("/somewhere"));
        Assert.Equal(1, _measurements);
        Assert.Null(second.NotKept);
    }

    [Fact]
    public void Each_number_of_threads_and_each_directory_has_limits_of_its_own()
    {
        LimitsCache cache = Open();
        cache.Get(4);
        cache.Get(1);
        cache.Add(Limits.OfDisk("/a"));
        cache.Add(Limits.OfDisk("/b"));
        cache.Add(Limits.OfDisk("/a"));
        MachineLimits read = Open().Limits;
        Assert.Equal([1, 4], read.Threads.Select(entry => entry.Threads));
        Assert.Equal(["/b", "/a"], read.Disks.Select(entry => entry.Directory));
        Assert.Null(read.For(2));
        for (int i = 0; i < 100; i++)
            cache.Add(Limits.OfDisk($"/{i}"));
        Assert.Equal("/99", Open().Limits.Disks[^1].Directory);
    }

    [Fact]
    public void Limits_of_another_machine_are_measured_anew()
    {
        Open().Get(2);
        foreach (MachineIdentity other in (MachineIdentity[])[s_machine with { Cpu = "Other" },
            s_machine with { InstructionSet = "scalar" }, s_machine with { MemoryBytes = 1 }])
            Assert.Empty(Open(other).Limits.Threads);
    }

    [Theory]
    [InlineData("\"format\": 1", "\"format\": 2")]
    [InlineData("11000000000", "-1")]
    [InlineData("11000000000", "0")]
    [InlineData("11000000000", "1e999")]
    [InlineData("11000000000", "1e30")]
    [InlineData("11000000000", "\"fast\"")]
    [InlineData("11000000000", "null")]
    [InlineData("\"read_bytes_per_s\": 11000000000,", "")]
    [InlineData("\"threads\": 2,", "\"threads\": 0,")]
    [InlineData("\"threads\": [", "\"threads\": [null,")]
    [InlineData("\"threads\": [", "\"threads\": [[],")]
    [InlineData("\"disks\": [", "\"disks\": [null,")]
    [InlineData("\"disks\":", "\"discs\":")]
    [InlineData("\"test\"", "null")]
    [InlineData("\"/somewhere\"", "\"\"")]
    [InlineData("2026-01-02", "yesterday")]
    [InlineData("}", "")]
    public void A_file_that_says_what_cannot_be_is_measured_anew(string there, string instead)
    {
        LimitsCache cache = Open();
        cache.Get(2);
        cache.Add(Limits.OfDisk("/somewhere"));
        string text = File.ReadAllText(FilePath);
        Assert.Contains(there, text, StringComparison.Ordinal);
        MeasuresAnew(Encoding.UTF8.GetBytes(text.Replace(there, instead, StringComparison.Ordinal)));
    }

    [Fact]
    public void A_file_that_is_no_json_is_measured_anew()
    {
        Open();
        foreach (string text in (string[])["", "null", "[]", "{}", "7", "\0\0\0\0", new string('[', 100_000), "{\"format\":1}"])
            MeasuresAnew(Encoding.UTF8.GetBytes(text));
        MeasuresAnew([0xff, 0xfe, 0x80]);
        MeasuresAnew(new byte[3 << 20]);
    }

    void MeasuresAnew(byte[] content)
    {
        Directory.CreateDirectory(Home);
        File.WriteAllBytes(FilePath, content);
        int before = _measurements;
        LimitsCache cache = Open();
        Assert.Empty(cache.Limits.Disks);
        cache.Get(2);
        Assert.Equal(before + 1, _measurements);
        Assert.Null(cache.NotKept);
        Assert.Equal(Limits.Of(2), Open().Get(2));
        Assert.Equal(before + 1, _measurements);
    }

    [Fact]
    public void Measuring_again_after_more_was_achieved_keeps_the_larger_values()
    {
        Open(scale: 2).Get(1);
        Assert.Equal(Limits.Of(1, 2), Open(scale: 1).Raise(1));
        Assert.Equal(Limits.Of(1, 3), Open(scale: 3).Raise(1));
        Assert.Equal(Limits.Of(1, 3), Open().Get(1));
        ThreadLimits mixed = Limits.Of(1) with { Int8PerS = 99e9, Int8Instructions = "better" };
        Assert.Equal(Limits.Of(1, 3) with { Int8PerS = 99e9, Int8Instructions = "better" }, Limits.Of(1, 3).Larger(mixed));
    }

    [Fact]
    public void Measuring_anew_on_request_replaces_what_was_known()
    {
        Open(scale: 2).Get(1);
        Open(scale: 1).Measure(1);
        Assert.Equal(Limits.Of(1), Open().Get(1));
    }

    [Fact]
    public void Only_the_owner_may_read_what_is_kept()
    {
        Open().Get(1);
        Assert.Equal([Path.GetFileName(FilePath)], Directory.GetFileSystemEntries(Home).Select(entry => Path.GetFileName(entry)));
        if (OperatingSystem.IsWindows())
            return; // no such modes
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(FilePath));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(Home));
    }

    [Fact]
    public void Limits_that_cannot_be_kept_are_measured_all_the_same()
    {
        _folder.Write("kvasir", [1]); // a file where the folder should be
        LimitsCache cache = Open();
        Assert.Equal(Limits.Of(2), cache.Get(2));
        Assert.Equal(Limits.Of(2), cache.Get(2));
        Assert.Equal(1, _measurements);
        Assert.Contains("kvasir", cache.NotKept, StringComparison.Ordinal);
        Assert.Equal([1], File.ReadAllBytes(Home));
    }

    [Fact]
    public void Without_a_home_limits_last_for_one_run()
    {
        var cache = new LimitsCache(null, s_machine, threads => Limits.Of(threads));
        Assert.Equal(Limits.Of(3), cache.Get(3));
        Assert.NotNull(cache.NotKept);
    }
}
