using System.Diagnostics;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary>
/// The script in the root of a checkout, in a small checkout of its own, with a <c>dotnet</c> that only says what it was asked for.
/// </summary>
public sealed class WrapperTests : IDisposable
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    readonly string _root = Directory.CreateTempSubdirectory("kvasir wrapper ").FullName; // with a space

    public WrapperTests()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "the script is for a Unix shell");
        Directory.CreateDirectory(In("src/Kvasir.Cli/Verbs"));
        foreach (string file in (string[])["src/Kvasir.Cli/Program.cs", "src/Kvasir.Cli/Verbs/Run.cs", "Directory.Build.props",
            "Directory.Build.targets", "Directory.Packages.props", "global.json"])
            File.WriteAllText(In(file), "as it was");
        File.Copy(Path.Combine(Checkout.Root, "kvasir"), In("kvasir"));
        Directory.CreateDirectory(In("bin"));
        Script("bin/dotnet", """
            echo "$@" >>"$FAKE/calls"
            out=$FAKE
            while [ $# -gt 0 ]; do [ "$1" = -o ] && out=$2; [ "$1" = -p:PublishReadyToRun=false ] && plain=yes; shift; done
            [ -f "$FAKE/slow" ] && sleep 0.5
            [ -f "$FAKE/refusal" ] && [ -z "$plain" ] && cat "$FAKE/refusal" && exit 1
            printf '#!/bin/sh\necho "ran $*"\n' >"$out/Kvasir.Cli"
            chmod +x "$out/Kvasir.Cli"
            """);
    }

    int Builds => File.Exists(In("calls")) ? File.ReadAllLines(In("calls")).Length : 0;

    [Fact]
    public void A_clean_checkout_is_built_and_says_so_and_then_runs_at_once()
    {
        (string output, string errors, int exitCode) = Run("show", "a b");
        Assert.Equal(("ran show a b\n", 0), (output, exitCode));
        Assert.StartsWith("kvasir: building", Assert.Single(errors.Split('\n', StringSplitOptions.RemoveEmptyEntries)),
            StringComparison.Ordinal);
        Assert.Equal(("ran again\n", "", 0), Run("again"));
        Assert.Equal(1, Builds);
    }

    [Theory]
    [InlineData("changed")]
    [InlineData("touched")]
    [InlineData("replaced by an older one")]
    [InlineData("deleted")]
    [InlineData("added")]
    [InlineData("moved")]
    [InlineData("a package's version")]
    public void A_change_leads_to_one_build(string change)
    {
        Run();
        switch (change)
        {
            case "changed": File.AppendAllText(In("src/Kvasir.Cli/Verbs/Run.cs"), "!"); break;
            case "touched": File.SetLastWriteTimeUtc(In("src/Kvasir.Cli/Verbs/Run.cs"), DateTime.UtcNow); break;
            case "replaced by an older one":
                File.SetLastWriteTimeUtc(In("src/Kvasir.Cli/Verbs/Run.cs"), new DateTime(2001, 1, 1, 0, 0, 0, DateTimeKind.Utc)); break;
            case "deleted": File.Delete(In("src/Kvasir.Cli/Verbs/Run.cs")); break;
            case "added": File.WriteAllText(In("src/Kvasir.Cli/Verbs/Show.cs"), ""); break;
            case "moved": File.Move(In("src/Kvasir.Cli/Verbs/Run.cs"), In("src/Kvasir.Cli/Run.cs")); break;
            default: File.AppendAllText(In("Directory.Packages.props"), "!"); break;
        }
        Run();
        Run();
        Assert.Equal(2, Builds);
    }

    [Fact]
    public void A_build_that_fails_is_told_and_tried_again()
    {
        File.WriteAllText(In("refusal"), "Program.cs(1,1): error CS1002: ; expected\n");
        (string output, string errors, int exitCode) = Run();
        Assert.Equal(("", 1), (output, exitCode));
        Assert.Contains("error CS1002", errors, StringComparison.Ordinal);
        Assert.Equal(1, Run().ExitCode);
        File.Delete(In("refusal"));
        Assert.Equal("ran \n", Run().Output);
        Assert.Equal(3, Builds);
    }

    [Fact]
    public void A_change_that_does_not_build_is_not_answered_by_the_program_before()
    {
        Run();
        File.AppendAllText(In("src/Kvasir.Cli/Program.cs"), "?");
        File.WriteAllText(In("refusal"), "error CS1002");
        Assert.Equal(("", 1), (Run().Output, Run().ExitCode));
    }

    [Fact]
    public void Without_the_packages_that_compile_ahead_of_time_it_is_built_without_them()
    {
        File.WriteAllText(In("refusal"), "error NU1101: Unable to find package Microsoft.NETCore.App.Crossgen2");
        Assert.Equal("ran \n", Run().Output);
        Assert.Equal("ran \n", Run().Output);
        Assert.Equal(2, Builds); // of one run
    }

    [Fact]
    public async Task Two_at_once_build_once()
    {
        File.WriteAllText(In("slow"), "");
        (string Output, string Errors, int ExitCode)[] both = await Task.WhenAll(Task.Run(() => Run("one")), Task.Run(() => Run("two")));
        Assert.Equal(["ran one\n", "ran two\n"], both.Select(run => run.Output));
        Assert.Equal(1, Builds);
    }

    [Fact]
    public void One_that_was_killed_keeps_nobody_out()
    {
        Directory.CreateDirectory(In("artifacts/kvasir"));
        File.CreateSymbolicLink(In("artifacts/kvasir/lock"), $"{int.MaxValue}"); // no system gives this number to a process
        Assert.Equal("ran \n", Run().Output);
        Assert.False(File.Exists(In("artifacts/kvasir/lock")) || new FileInfo(In("artifacts/kvasir/lock")).LinkTarget is not null);
    }

    [Fact]
    public void A_link_to_it_runs_it()
    {
        Directory.CreateDirectory(In("commands"));
        File.CreateSymbolicLink(In("commands/kv"), "../link");
        File.CreateSymbolicLink(In("link"), "kvasir");
        Assert.Equal("ran here\n", Run(In("commands/kv"), ["here"]).Output);
    }

    [Fact]
    public void Who_runs_a_program_keeps_it_until_the_build_after_the_next()
    {
        List<string> programs = [];
        for (int build = 0; build < 3; build++)
        {
            File.WriteAllText(In("src/Kvasir.Cli/Program.cs"), $"{build}");
            Run();
            programs.Add(File.ResolveLinkTarget(In("artifacts/kvasir/current"), returnFinalTarget: false)!.FullName);
        }
        Assert.Equal([false, true, true], programs.Select(Directory.Exists));
    }

    /// <inheritdoc/>
    public void Dispose() => Directory.Delete(_root, recursive: true);

    string In(string path) => Path.Combine(_root, path);

    void Script(string path, string text)
    {
        File.WriteAllText(In(path), "#!/bin/sh\n" + text + "\n");
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(In(path), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    (string Output, string Errors, int ExitCode) Run(params string[] args) => Run(In("kvasir"), args);

    (string Output, string Errors, int ExitCode) Run(string script, string[] args)
    {
        ProcessStartInfo start = new("sh", [script, .. args])
        {
            RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = Path.GetTempPath(),
        };
        start.Environment["PATH"] = $"{In("bin")}:{Environment.GetEnvironmentVariable("PATH")}";
        start.Environment["FAKE"] = _root;
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(), errors = process.StandardError.ReadToEndAsync();
        if (!process.WaitForExit(s_patience))
        {
            process.Kill(entireProcessTree: true);
            Assert.Fail($"still running after {s_patience.TotalSeconds} s");
        }
        return (output.Result, errors.Result, process.ExitCode);
    }
}
