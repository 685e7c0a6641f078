using System.Diagnostics;
using CsCheck;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.KvCache.Disk.DiskFixture;

namespace Kvasir.Tests.KvCache.Disk;

/// <summary>Random histories of two tiers in one directory, and two processes at once.</summary>
public sealed class DiskModelTests
{
    const int Names = 14, Slots = 6;
    const int MostWritten = 3000, FirstOfChild = 10_000;
    const string FolderVariable = "KVASIR_TEST_SHARED_FOLDER";

    [Fact]
    public void Two_tiers_agree_about_one_directory_and_keep_what_is_pinned() =>
        Gen.Select(Gen.Int[0, 8], Gen.Int[0, 1], Gen.Int[0, Names - 1]).Array[1, 50].Sample(steps =>
        {
            using var model = new TwoTiers();
            foreach ((int action, int tier, int block) in steps)
                model.Step(action, tier, block);
        }, iter: 25, threads: 1);

    sealed class TwoTiers : IDisposable
    {
        readonly DiskFixture _disk = new();
        readonly DiskTier[] _tiers;
        readonly HashSet<int> _written = [], _pins = [], _kept = []; // pinned by name; pinned and there

        public TwoTiers() => _tiers = [_disk.Open(Options), _disk.Open(Options)];

        DiskTierOptions Options => _disk.Options(Slots * SlotBytes(Small));

        public void Step(int action, int which, int block)
        {
            DiskTier tier = _tiers[which];
            switch (action)
            {
                case <= 2: Add(tier, block); break;
                case 3: tier.Touch(Key(block)); break;
                case 4 when tier.TryFind(Key(block), out int slot): Drop(tier, slot, block); break;
                case 5: Pin(tier, block); break;
                case 6: tier.Unpin("test"); _pins.Clear(); _kept.Clear(); break;
                case 7: Reopen(which); break;
                case 8: Add(tier, block, (block + 1) % Names, (block + 2) % Names); break;
            }
            Check();
        }

        void Add(DiskTier tier, params int[] blocks)
        {
            int written = Write(tier, Small, blocks);
            Assert.Null(tier.Problem);
            Assert.All(blocks,
                block => Assert.True(tier.TryFind(Key(block), out _), $"block {block} is not there after {written} were written"));
            _written.UnionWith(blocks);
            _kept.UnionWith(blocks.Where(_pins.Contains)); // a pin outlives a block that was damaged
        }

        void Drop(DiskTier tier, int slot, int block)
        {
            tier.Discard(slot, Key(block), ReadOutcome.Gone);
            Assert.False(tier.TryFind(Key(block), out _));
            _kept.Remove(block);
        }

        void Pin(DiskTier tier, int block)
        {
            tier.Refresh();
            if (_pins.Count == Slots / 2 || tier.Pin([Key(block)], "test", DateTimeOffset.UtcNow.AddHours(1)) == 0)
                return;
            _pins.Add(block);
            _kept.Add(block);
        }

        void Reopen(int which)
        {
            _tiers[which].Dispose();
            _tiers[which] = _disk.Open(Options);
        }

        void Check()
        {
            foreach (DiskTier tier in _tiers)
                tier.Refresh();
            int[] found = Found(_tiers[0]);
            Assert.Equal(found, Found(_tiers[1]));
            Assert.Subset(_written, found.ToHashSet());
            Assert.Subset(found.ToHashSet(), _kept);
            Assert.All(found,
                block => Assert.Equal((ReadOutcome.Ok, ReadOutcome.Ok), (Read(_tiers[0], Small, block), Read(_tiers[1], Small, block))));
            Assert.True(_disk.Segments().Sum(file => new FileInfo(file).Length) <= Options.MaxBytes);
        }

        public void Dispose()
        {
            foreach (DiskTier tier in _tiers)
                tier.Dispose();
            _disk.Dispose();
        }

        static int[] Found(DiskTier tier) => [.. Enumerable.Range(0, Names).Where(block => tier.TryFind(Key(block), out _))];
    }

    [Fact]
    public async Task Two_processes_that_write_at_once_lose_no_block()
    {
        using var disk = new DiskFixture();
        using DiskTier tier = disk.Open();
        using Process child = Child(disk, nameof(The_other_process));
        Task<string> output = child.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        int mine = 0;
        while (!child.HasExited)
        {
            if (mine < MostWritten) // there is room for more, so that nothing is evicted
                Assert.Equal(1, Write(tier, Small, mine++));
            for (int theirs = FirstOfChild; theirs < FirstOfChild + 100; theirs += 7)
                Assert.True(Read(tier, Small, theirs) is ReadOutcome.Ok or ReadOutcome.Gone);
        }
        Assert.True(child.ExitCode == 0, await output);
        tier.Refresh();
        Assert.All([.. Enumerable.Range(0, mine), .. Enumerable.Range(FirstOfChild, 100)],
            block => Assert.Equal(ReadOutcome.Ok, Read(tier, Small, block)));
    }

    /// <summary>
    /// SQLite's locks are the process's on the file: who opens and closes it by other means drops them, and another program that
    /// looks into it takes its log away.
    /// </summary>
    [Fact]
    public void The_locks_on_an_open_catalogue_stay()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "locks are listed on Linux only");
        using var disk = new DiskFixture();
        disk.Open().Dispose();
        using DiskTier tier = disk.Open();
        DiskInspection.Open(disk.Path)!.Dispose();
        Assert.Contains(File.ReadLines("/proc/locks"), line => line.Contains($" {Environment.ProcessId} ", StringComparison.Ordinal)
            && line.Contains($":{Inode(Path.Combine(disk.Path, "catalogue.db"))} ", StringComparison.Ordinal));
    }

    static string Inode(string path)
    {
        using Process stat = Process.Start(new ProcessStartInfo("stat", ["-c", "%i", path]) { RedirectStandardOutput = true })!;
        return stat.StandardOutput.ReadToEnd().Trim();
    }

    static Process Child(DiskFixture disk, string test)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!, ["-noColor", "-method", $"{typeof(DiskModelTests).FullName}.{test}"])
        {
            RedirectStandardOutput = true,
        };
        start.Environment[FolderVariable] = disk.Path;
        return Process.Start(start)!;
    }

    [Fact]
    public void The_other_process()
    {
        string? folder = Environment.GetEnvironmentVariable(FolderVariable);
        Assert.SkipWhen(folder is null, "part of another test, which runs it in a process of its own");
        using var disk = new DiskFixture();
        using DiskTier tier = disk.Open(disk.Options() with { Folder = folder });
        for (int block = FirstOfChild; block < FirstOfChild + 100; block++)
            Assert.True(Write(tier, Small, block) == 1, $"{block}: {tier.Problem}");
    }
}
