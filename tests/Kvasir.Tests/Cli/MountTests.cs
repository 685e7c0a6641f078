using System.Diagnostics;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>
/// Keys and values on file systems of their own: one that is only read, and one that has no room. Whoever may mount runs them.
/// </summary>
public sealed class MountTests : IDisposable
{
    const string Prompt = "Once upon a time there was an owl who counted mice, and every night it found one more.";

    readonly TemporaryFolder _folder = new();
    readonly string _mount;

    public MountTests() => _mount = Directory.CreateDirectory(_folder["mount"]).FullName;

    public void Dispose()
    {
        if (OperatingSystem.IsLinux())
            Try("umount", _mount).GetAwaiter().GetResult();
        _folder.Dispose();
    }

    [Fact]
    public async Task A_file_system_that_is_only_read_gives_the_blocks_that_it_has()
    {
        await Mount("1300m");
        string kept = Path.Combine(_mount, "kv");
        string expected = Ask(kept).Answer;
        Assert.Equal(0, await Try("mount", "-o", "remount,ro", _mount));
        string[] files = Directory.GetFiles(kept);
        KvasirResult again = Ask(kept, "-v");
        Assert.Equal(expected, again.Answer);
        Assert.Contains(" from disk in ", again.Errors, StringComparison.Ordinal);
        string warning = Assert.Single(KvasirResult.Lines(again.Errors), line => line.StartsWith("warning: ", StringComparison.Ordinal));
        Assert.Contains($"{kept}: is read and not written: ", warning, StringComparison.Ordinal);
        Assert.Equal(files, Directory.GetFiles(kept));
        Assert.Contains(" blocks are good, 0 were not", Run("kv", "verify", "--kv-dir", kept).Answer, StringComparison.Ordinal);
        Run("kv", "gc", "--kv-dir", kept).Fails(1, kept);
    }

    [Fact]
    public async Task A_file_system_without_room_is_a_warning()
    {
        await Mount("3m");
        string kept = Path.Combine(_mount, "kv");
        Assert.Equal(Ask(_folder["elsewhere"]).Answer, Ask(kept).Answer);
        Assert.Contains("nothing is kept", Ask(kept, "-v").Errors, StringComparison.Ordinal);
    }

    static KvasirResult Ask(string folder, params string[] flags) =>
        Run(["run", "-n", "8", Prompt, "--kv-dir", folder, .. flags]);

    async Task Mount(string size)
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "tmpfs is Linux's");
        int exitCode = await Try("mount", "-t", "tmpfs", "-o", $"size={size}", "tmpfs", _mount);
        Assert.SkipUnless(exitCode == 0, "may not mount a file system here");
    }

    static async Task<int> Try(string program, params string[] args)
    {
        Programs.Need(program);
        return (await Programs.Run(new ProcessStartInfo(program, args))).ExitCode;
    }
}
