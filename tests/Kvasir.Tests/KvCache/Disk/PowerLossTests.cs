using System.Globalization;
using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.KvCache.Disk.DiskFixture;

namespace Kvasir.Tests.KvCache.Disk;

/// <summary>
/// The directory as it is at every step of some work, opened as after a power failure: whole, with the last writes lost or torn, with old
/// sectors among new ones. Every block comes back as it was written, or is a miss. With KVASIR_TEST_CASES=N there are N cases.
/// </summary>
public sealed class PowerLossTests : IDisposable
{
    const int Blocks = 64, Sector = 512;

    readonly DiskFixture _disk = new();
    readonly List<Dictionary<string, byte[]>> _cuts = [];

    public void Dispose() => _disk.Dispose();

    DiskTierOptions Options() => _disk.Options(12 * SlotBytes(Small));

    [Fact]
    public void After_a_power_failure_at_any_step_blocks_are_right_or_missing() =>
        OwnProcess.RunToTheEnd(typeof(PowerLossTests), nameof(Every_cut), "1");

    [Fact]
    public void Every_cut()
    {
        int first = int.Parse(OwnProcess.Argument(nameof(Every_cut)), CultureInfo.InvariantCulture);
        Work();
        int good = 0, cases = OwnProcess.Cases(24);
        for (int seed = first; seed < first + cases; seed++)
        {
            var random = new Random(seed);
            int cut = random.Next(_cuts.Count);
            string how = Lay(cut, seed % 8, random);
            try
            {
                good += Check(isWhole: seed % 8 == 0);
            }
            catch (Exception e)
            {
                Assert.Fail($"case {seed}, cut {cut} of {_cuts.Count}, {how}: {e}");
            }
        }
        Assert.InRange(good, cases, int.MaxValue); // most is still there
        Console.WriteLine($"{cases} cases over {_cuts.Count} cuts, {good} blocks came back");
    }

    /// <summary>Writes, uses, evicts, pins and discards, and takes the directory down at every step of it.</summary>
    void Work()
    {
        bool cuts = false;
        DiskTierOptions options = Options() with
        {
            FaultPoint = step =>
            {
                if (cuts && step is not "read" and not "query")
                    _cuts.Add(Directory.GetFiles(_disk.Path).Where(file => !file.EndsWith("-shm", StringComparison.Ordinal))
                        .ToDictionary(file => Path.GetFileName(file), ReadAll));
            },
        };
        using DiskTier tier = _disk.Open(options);
        cuts = true;
        var random = new Random(1);
        for (int batch = 0; batch < 14; batch++)
        {
            Write(tier, Small, [.. Enumerable.Range(0, 3).Select(_ => random.Next(Blocks - 1))]);
            tier.Touch(Key(random.Next(Blocks)));
            int block = random.Next(Blocks);
            if (batch % 3 == 0 && tier.TryFind(Key(block), out int slot))
                tier.Discard(slot, Key(block), ReadOutcome.WrongPayloadChecksum);
            if (batch % 4 == 0)
                tier.Pin([Key(random.Next(Blocks))], "me", DateTimeOffset.UtcNow.AddHours(1));
        }
    }

    static byte[] ReadAll(string path)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        byte[] bytes = new byte[file.Length];
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>Lays the directory of a cut down, in one way of failing; returns which.</summary>
    string Lay(int cut, int way, Random random)
    {
        Directory.Delete(_disk.Path, recursive: true);
        Directory.CreateDirectory(_disk.Path);
        Dictionary<string, byte[]> now = _cuts[cut].ToDictionary(), before = _cuts[Math.Max(0, cut - random.Next(1, 12))];
        string[] segments = [.. now.Keys.Where(name => name.StartsWith("blocks-", StringComparison.Ordinal))];
        byte[] log = now.GetValueOrDefault("catalogue.db-wal", []);
        string how = way switch
        {
            0 => "whole",
            1 => Do("the log lost", () => now.Remove("catalogue.db-wal")),
            2 => Do("the log cut", () => now["catalogue.db-wal"] = log[..random.Next(log.Length + 1)]),
            3 => Do("the log torn", () => now["catalogue.db-wal"] = Torn(log, [], random)),
            4 => Do("the last segments lost", () => TakeOld(segments)),
            5 => Do("old sectors in segments", () => Array.ForEach(segments, name =>
                now[name] = Torn(now[name], before.GetValueOrDefault(name, []), random))),
            6 => Do("the catalogue of before", () => TakeOld("catalogue.db", "catalogue.db-wal")),
            _ => Do("old sectors in the catalogue", () => now["catalogue.db"] = Torn(now["catalogue.db"], before["catalogue.db"], random)),
        };
        foreach ((string name, byte[] bytes) in now)
            File.WriteAllBytes(Path.Combine(_disk.Path, name), bytes);
        return how;

        void TakeOld(params string[] names)
        {
            foreach (string name in names)
                if (before.TryGetValue(name, out byte[]? old))
                    now[name] = old;
                else
                    now.Remove(name);
        }
    }

    static string Do(string what, Action action)
    {
        action();
        return what;
    }

    /// <summary>Some sectors are those of before, or zeros where there were none.</summary>
    static byte[] Torn(byte[] now, byte[] before, Random random)
    {
        byte[] torn = (byte[])now.Clone();
        for (int i = random.Next(1, 6); i > 0 && torn.Length > 0; i--)
        {
            int at = random.Next((torn.Length + Sector - 1) / Sector) * Sector;
            Span<byte> sector = torn.AsSpan(at, Math.Min(Sector, torn.Length - at));
            sector.Clear();
            if (at < before.Length)
                before.AsSpan(at, Math.Min(sector.Length, before.Length - at)).CopyTo(sector);
        }
        return torn;
    }

    int Check(bool isWhole)
    {
        int good = 0;
        using (DiskTier tier = _disk.Open(Options()))
        {
            Assert.True(!isWhole || tier.Problem is null, tier.Problem);
            for (int block = 0; block < Blocks; block++)
            {
                ReadOutcome outcome = Read(tier, Small, block); // fails where wrong bytes are called good
                good += outcome == ReadOutcome.Ok ? 1 : 0;
                Assert.True(!isWhole || outcome is ReadOutcome.Ok or ReadOutcome.Gone, $"block {block}: {outcome}");
                if (outcome is not (ReadOutcome.Ok or ReadOutcome.Gone) && tier.TryFind(Key(block), out int slot))
                    tier.Discard(slot, Key(block), outcome);
            }
            Write(tier, Small, Blocks); // may meet a file that is gone, which it forgets then
            Assert.True(Write(tier, Small, Blocks) + (tier.TryFind(Key(Blocks), out _) ? 1 : 0) >= 1 || tier.Problem is not null);
        }
        using DiskTier again = _disk.Open(Options());
        Assert.All(Enumerable.Range(0, Blocks + 1), block => Read(again, Small, block));
        return good;
    }
}
