using System.Globalization;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Tests.Fixtures;
using Microsoft.Data.Sqlite;

namespace Kvasir.Tests.Reuse;

/// <summary>
/// An engine whose disk fails in every way at any step: it answers, with the same bits, and ends. In a process of its own, so that a
/// crash is seen. With KVASIR_TEST_CASES=N there are N cases.
/// </summary>
public sealed class InjectedFaultTests : IDisposable
{
    static readonly string[] s_steps =
        ["query", "read", "begin", "room", "room committed", "some data", "data", "flushed", "rows", "committed"];

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    static int[] Prompt(int seed) => [.. Enumerable.Range(0, 90).Select(i => 260 + (i * 37 + seed * 101 + i / 16) % 700)];

    [Fact]
    public void Whatever_a_disk_does_answers_have_the_same_bits() =>
        OwnProcess.RunToTheEnd(typeof(InjectedFaultTests), nameof(Faults_at_random_steps), "1");

    [Fact]
    public void Faults_at_random_steps()
    {
        int first = int.Parse(OwnProcess.Argument(nameof(Faults_at_random_steps)), CultureInfo.InvariantCulture);
        using LanguageModel model = LanguageModel.Load(SagaModel.Path);
        EngineOptions options = new() { Context = 128, Sequences = 2, Threads = 1 };
        CachedEngine.Answer[] expected;
        using (CachedEngine engine = new(model, options with { KvReuse = KvReuse.WithinSequence }))
            expected = [.. Enumerable.Range(0, 3).Select(seed => engine.Ask(Prompt(seed)))];
        int faults = 0, cases = OwnProcess.Cases(8);
        for (int seed = first; seed < first + cases; seed++)
        {
            var random = new Random(seed);
            string step = s_steps[random.Next(s_steps.Length)], folder = _folder[$"{seed}"];
            int kind = random.Next(12), every = random.Next(1, 8), calls = 0;
            try
            {
                for (int round = 0; round < 2; round++) // the second finds what the first has left
                    Ask(hear =>
                    {
                        if (hear != step || Interlocked.Increment(ref calls) % every != 0)
                            return;
                        Interlocked.Increment(ref faults);
                        Fail(kind, folder, seed + calls);
                    });
            }
            catch (Exception e)
            {
                Assert.Fail($"case {seed}, kind {kind} at every {every}. '{step}': {e}");
            }

            void Ask(Action<string> fault)
            {
                using CachedEngine engine = new(model, options with { KvDisk = CachedEngine.Disk(folder) with { FaultPoint = fault } });
                for (int i = 0; i < 3; i++)
                    engine.Ask(Prompt(i)).AssertSameBits(expected[i], "first");
                engine.Cache.Flush(TimeSpan.FromSeconds(1));
                for (int i = 0; i < 3; i++)
                {
                    engine.Cache.Evict([.. engine.Cache.Keys(Prompt(i))], Kvasir.KvCache.Blocks.Tier.Device);
                    engine.Ask(Prompt(i)).AssertSameBits(expected[i], "again");
                }
            }
        }
        Console.WriteLine($"{cases} cases, {faults} faults");
        Assert.InRange(faults, 1, int.MaxValue);
    }

    /// <summary>What a disk may do: an error, a short file, flipped bits, a write that was lost, or nothing for a while.</summary>
    static void Fail(int kind, string folder, int seed)
    {
        switch (kind)
        {
            case 0: throw new IOException("Input/output error", 5);
            case 1: throw new IOException("No space left on device", 28);
            case 2: throw new IOException("Stale file handle", 116);
            case 3: throw new UnauthorizedAccessException("Read-only file system");
            case 4: throw new SqliteException("disk I/O error", 10);
            case 5: throw new SqliteException("database disk image is malformed", 11);
            case 6: throw new SqliteException("database or disk is full", 13);
            case 7: throw new InvalidOperationException("what nobody expects");
            case 8:
                Thread.Sleep(20);
                break;
            default:
                Damage(kind, folder, new Random(seed));
                break;
        }
    }

    static void Damage(int kind, string folder, Random random)
    {
        string[] files = Directory.Exists(folder) ? Directory.GetFiles(folder, kind == 11 ? "catalogue.db*" : "blocks-*.kv") : [];
        if (files.Length == 0)
            return;
        using FileStream file = new(files[random.Next(files.Length)], FileMode.Open, FileAccess.ReadWrite,
            FileShare.ReadWrite | FileShare.Delete);
        if (kind == 10)
            file.SetLength(random.NextInt64(file.Length + 1)); // short
        byte[] bytes = new byte[random.Next(1, 5000)];
        if (kind == 9)
            random.NextBytes(bytes); // flipped; else zeros: lost
        file.Position = random.NextInt64(file.Length + 1) / 4096 * 4096;
        if (kind != 11 || random.Next(2) == 0)
            file.Write(bytes.AsSpan(0, (int)Math.Min(bytes.Length, Math.Max(0, file.Length - file.Position))));
    }
}
