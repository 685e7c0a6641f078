using System.Diagnostics;
using System.Runtime.Versioning;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers.Disk;
using static Kvasir.Tests.KvCache.Disk.DiskFixture;

namespace Kvasir.Tests.KvCache.Disk;

/// <summary>Others may put anything into the directory under our names: it is left as it is, and nothing waits for it.</summary>
[UnsupportedOSPlatform("windows")]
public sealed class ForeignFileTests : IDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);
    const string Letters = "somebody's letters";

    readonly DiskFixture _disk = new();
    readonly string _victim;

    public ForeignFileTests()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "links and FIFOs of Unix");
        _victim = _disk.Folder["letters"];
        File.WriteAllText(_victim, Letters);
        File.SetUnixFileMode(_victim, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead);
    }

    public void Dispose()
    {
        Assert.Equal((Letters, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead),
            (File.ReadAllText(_victim), File.GetUnixFileMode(_victim)));
        _disk.Dispose();
    }

    string InFolder(string name) => Path.Combine(_disk.Path, name);

    void Fill()
    {
        using DiskTier tier = _disk.Open();
        Assert.Equal(2, Write(tier, Small, 0, 1));
    }

    /// <summary>Puts something in the place of a file.</summary>
    void Put(string what, string path)
    {
        File.Delete(path);
        switch (what)
        {
            case "link":
                File.CreateSymbolicLink(path, _victim);
                break;
            case "dangling link":
                File.CreateSymbolicLink(path, _disk.Folder["nothing"]);
                break;
            case "directory":
                Directory.CreateDirectory(path);
                break;
            case "FIFO":
                Run("mkfifo", path);
                break;
            default:
                Run("ln", _victim, path); // a second name
                break;
        }
    }

    static void Run(string program, params string[] args)
    {
        using Process process = Process.Start(program, args);
        process.WaitForExit();
        Assert.Equal(0, process.ExitCode);
    }

    static Task Soon(Action action) =>
        Task.Run(action, TestContext.Current.CancellationToken).WaitAsync(s_patience, TestContext.Current.CancellationToken);

    public static TheoryData<string, string> Catalogues()
    {
        TheoryData<string, string> data = [];
        foreach (string what in (string[])["link", "dangling link", "directory", "FIFO", "second name"])
            foreach (string name in (string[])["catalogue.db", "catalogue.db-wal", "catalogue.db-shm", "catalogue.db-journal"])
                data.Add(what, name);
        return data;
    }

    [Theory, MemberData(nameof(Catalogues))]
    public Task What_is_no_catalogue_of_ours_is_a_miss_with_one_word_and_stays(string what, string name) => Soon(() =>
    {
        Fill();
        Put(what, InFolder(name));
        using (TieredKvCache cache = new(Small, DiskFixture.Model, new KvCacheOptions { DeviceBlocks = 4, Disk = _disk.Options() }))
        {
            Assert.Contains(InFolder(name), cache.Problem, StringComparison.Ordinal);
            Assert.Null(cache.Durable); // a second name is read, and not written to
            Assert.Equal(what == "second name" && name != "catalogue.db" ? 1 : 0, cache.Tiers.Length);
        }
        if (what != "second name")
            Assert.Contains(InFolder(name), Assert.ThrowsAny<IOException>(() => DiskInspection.Open(_disk.Path)).Message,
                StringComparison.Ordinal);
        Assert.False(File.Exists(_disk.Folder["nothing"]));
    });

    [Theory, InlineData("link"), InlineData("dangling link"), InlineData("directory"), InlineData("FIFO"), InlineData("second name")]
    public Task What_lies_where_a_segment_was_is_not_touched_and_the_cache_goes_on(string what) => Soon(() =>
    {
        Fill();
        Put(what, Assert.Single(_disk.Segments()));
        using DiskTier tier = _disk.Open();
        Assert.All((int[])[0, 1], block => Assert.NotEqual(ReadOutcome.Ok, Read(tier, Small, block)));
        for (int i = 0; i < 3; i++)
            Write(tier, Small, 2 + i);
        Assert.Equal(what == "second name" ? ReadOutcome.Gone : ReadOutcome.Ok, Read(tier, Small, 4));
        Assert.Equal(what != "second name", tier.CanWrite); // may be somebody's backup: it stays, and nothing is written
        Assert.False(File.Exists(_disk.Folder["nothing"]));
    });

    [Theory, InlineData("link"), InlineData("dangling link"), InlineData("directory"), InlineData("FIFO"), InlineData("second name")]
    public Task What_lies_where_the_next_segments_will_be_is_passed_over(string what) => Soon(() =>
    {
        Fill();
        long id = Segment.FilesIn(_disk.Path).Single().Id;
        for (int i = 1; i < 5; i++)
            Put(what, Segment.PathOf(_disk.Path, id + i));
        using DiskTier tier = _disk.Open(layout: Large);
        Assert.Equal(1, Write(tier, Large, 5));
        Assert.Equal(ReadOutcome.Ok, Read(tier, Large, 5));
        Assert.True(Path.Exists(Segment.PathOf(_disk.Path, id + 1)) || what == "dangling link");
        using DiskInspection? inspection = DiskInspection.Open(_disk.Path);
        inspection!.Collect();
        Assert.Equal(3, inspection.Verify(cancellation: TestContext.Current.CancellationToken)[ReadOutcome.Ok]);
    });

    [Fact]
    public Task A_lock_that_is_none_of_ours_is_not_taken() => Soon(() =>
    {
        Fill();
        File.WriteAllText(InFolder("catalogue.db"), new string('x', 5000));
        Put("link", InFolder("catalogue.lock"));
        Assert.Contains("catalogue.lock", Assert.Throws<IOException>(() => _disk.Open()).Message, StringComparison.Ordinal);
    });

    [Theory]
    [InlineData("blocks-notes.kv"), InlineData("blocks-1.kv"), InlineData("blocks-.kv"), InlineData("blocks-000001.kv.bak")]
    [InlineData("blocks--00001.kv"), InlineData("blocks-+00001.kv"), InlineData("blocks-0000001.kv"), InlineData("blocks-99999999999999999999.kv")]
    [InlineData("notes.txt"), InlineData("catalogue.db.damaged")]
    public void A_strangers_file_stays(string name)
    {
        Fill();
        File.WriteAllText(InFolder(name), Letters);
        _disk.Open().Dispose();
        using (DiskInspection? inspection = DiskInspection.Open(_disk.Path))
        {
            inspection!.Collect(0);
            inspection.Clear();
        }
        Assert.Equal(Letters, File.ReadAllText(InFolder(name)));
        File.WriteAllText(InFolder("catalogue.db"), new string('x', 5000)); // to be set aside
        _disk.Open().Dispose();
        Assert.Equal(name.EndsWith("damaged", StringComparison.Ordinal), File.ReadAllText(InFolder(name)) != Letters);
    }

    [Fact]
    public void A_file_of_ours_without_a_row_goes()
    {
        Fill();
        File.WriteAllText(InFolder("blocks-000001.kv"), "left by a process that died");
        _disk.Open().Dispose();
        Assert.False(File.Exists(InFolder("blocks-000001.kv")));
    }

    [Fact]
    public void A_directory_that_everybody_may_write_to_is_warned_of()
    {
        Fill();
        File.SetUnixFileMode(_disk.Path, (UnixFileMode)0b111_111_111);
        using DiskTier tier = _disk.Open();
        Assert.StartsWith($"{_disk.Path}: everybody may write there (mode 777)", tier.Problem, StringComparison.Ordinal);
        Assert.Equal(ReadOutcome.Ok, Read(tier, Small, 0));
    }

    [Fact]
    public void A_directory_that_is_a_link_is_the_one_it_leads_to()
    {
        Fill();
        string link = _disk.Folder["link"];
        File.CreateSymbolicLink(link, _disk.Path);
        using DiskTier tier = _disk.Open(_disk.Options() with { Folder = link });
        Assert.Null(tier.Problem);
        Assert.Equal((ReadOutcome.Ok, 1), (Read(tier, Small, 0), Write(tier, Small, 7)));
    }

    [Fact]
    public void A_catalogue_that_others_could_read_is_closed_to_them()
    {
        Fill();
        File.SetUnixFileMode(InFolder("catalogue.db"), (UnixFileMode)0b110_110_100);
        _disk.Open().Dispose();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(InFolder("catalogue.db")));
    }

    [Fact]
    public void A_segment_that_may_only_be_read_is_read_and_nothing_more_is_kept()
    {
        Fill();
        string segment = Assert.Single(_disk.Segments());
        if (Environment.IsPrivilegedProcess) // to whom permissions say nothing, but owners do
            Run("chown", "65534", segment);
        else
            File.SetUnixFileMode(segment, UnixFileMode.UserRead);
        byte[] before = File.ReadAllBytes(segment);
        using (DiskTier tier = _disk.Open())
        {
            Assert.Equal((ReadOutcome.Ok, ReadOutcome.Ok), (Read(tier, Small, 0), Read(tier, Small, 1)));
            Assert.True(tier.CanWrite);
            Assert.Equal(0, Write(tier, Small, 2));
            Assert.StartsWith($"{segment}: ", tier.Problem, StringComparison.Ordinal);
            string? said = tier.Problem;
            Assert.False(tier.CanWrite);
            Assert.Equal(0, Write(tier, Small, 3));
            Assert.Equal((said, ReadOutcome.Ok), (tier.Problem, Read(tier, Small, 0)));
        }
        using DiskTier again = _disk.Open();
        Assert.Equal((ReadOutcome.Ok, ReadOutcome.Ok), (Read(again, Small, 0), Read(again, Small, 1)));
        using DiskInspection? inspection = DiskInspection.Open(_disk.Path);
        Assert.Equal(2, inspection!.Verify(cancellation: TestContext.Current.CancellationToken)[ReadOutcome.Ok]);
        Assert.Equal(before, File.ReadAllBytes(segment));
    }
}
