using System.Diagnostics;
using System.Globalization;
using System.Text;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>
/// The program on a disk whose system calls fail: open, read, write, fsync, truncate, rename, unlink and mmap, with errors, too short, with
/// flipped bits, lost or late (<c>faults.c</c>). It gives the same answer and ends well. With KVASIR_TEST_CASES=N there are N cases.
/// </summary>
public sealed class SystemCallFaultTests : IDisposable
{
    const int CasesInOneFolder = 4; // each finds what those before it have left
    static readonly string[] s_calls =
        ["open", "read", "write", "fsync", "truncate", "rename,unlink", "mmap", "open,read,write,fsync,truncate,rename,unlink,mmap"];
    static readonly int[] s_every = [1, 2, 5, 10, 40];

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task Whatever_system_calls_do_answers_are_the_same()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "the C library is replaced as Linux does it");
        Programs.Need("cc");
        string library = _folder["faults.so"], source = Path.Combine(Checkout.Root, "tests", "Kvasir.Tests", "Cli", "faults.c");
        ProcessStartInfo compiler = new("cc", ["-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"]);
        (int exitCode, _, string errors) = await Programs.Run(compiler);
        Assert.True(exitCode == 0, errors);
        string document = _folder.Write("document.txt",
            Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 90).Select(i => $"{i} owls see {i * i} mice. "))));
        string[] question = ["run", "-n", "8", "-f", document, "Who sees?"];
        string expected = Run([.. question, "--no-persist"]).Answer;
        long faults = 0;
        for (int seed = 1; seed <= OwnProcess.Cases(3); seed++)
        {
            var random = new Random(seed);
            string folder = _folder[$"kv-{seed / CasesInOneFolder}"];
            Dictionary<string, string> disk = new()
            {
                ["LD_PRELOAD"] = library, ["FAULT_DIR"] = folder, ["FAULT_SEED"] = $"{seed}",
                ["FAULT_EVERY"] = $"{s_every[random.Next(s_every.Length)]}", ["FAULT_CALLS"] = s_calls[random.Next(s_calls.Length)],
            };
            KvasirResult result = RunIn(disk, [.. question, "--kv-dir", folder]);
            string said = $"case {seed}, {string.Join(' ', disk)}: exit code {result.ExitCode}: {result.Output}{result.Errors}";
            Assert.True((result.ExitCode, result.Output) == (0, expected), said);
            string count = await File.ReadAllTextAsync($"{folder}.count", TestContext.Current.CancellationToken);
            faults += long.Parse(count, CultureInfo.InvariantCulture);
        }
        TestContext.Current.TestOutputHelper!.WriteLine($"{faults} faults");
        Assert.InRange(faults, 1, long.MaxValue);
    }
}
