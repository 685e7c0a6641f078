using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.RemoteTiers;

/// <summary>The flags of the command that name a store.</summary>
public sealed class RemoteCommandTests
{
    const string Prompt = "Once upon a time there was a server that never computed the same keys and values twice, and it lived in a rack.";

    [Fact]
    public void Two_processes_without_a_disk_share_a_store()
    {
        using RedisServer server = new("open-sesame");
        using TemporaryFolder folder = new();
        string password = folder.Write("password", RawGguf.Bytes("open-sesame\n"));
        if (!OperatingSystem.IsWindows())
            File.SetUnixFileMode(password, UnixFileMode.UserRead);
        string[] ask = ["run", "--no-persist", "-n", "4", "-v", "--kv-remote", server.Address, "--kv-remote-password-file", password, Prompt];
        KvasirResult first = Run(ask).Succeeds(), second = Run(ask).Succeeds();
        for (int more = 0; more < 5 && !second.Errors.Contains("remote", StringComparison.Ordinal); more++)
            second = Run(ask).Succeeds(); // on a machine that is busy, computing so little may be over before the store has answered
        Assert.Equal(first.Answer, second.Answer);
        Assert.DoesNotContain("remote", first.Errors, StringComparison.Ordinal);
        Assert.Contains("remote", second.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("sesame", first.Errors + second.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public void A_store_that_is_not_there_is_a_line_and_no_failure()
    {
        KvasirResult result = Run("run", "--no-persist", "-n", "2", "--kv-remote", $"redis://:secret@127.0.0.1:{RedisServer.FreePort()}", Prompt)
            .Succeeds();
        Assert.Single(result.Errors.Split('\n'), line => line.StartsWith("shared keys and values: redis://127.0.0.1:", StringComparison.Ordinal));
        Assert.DoesNotContain("secret", result.Errors, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--kv-remote: saw the scheme 'http'", "--kv-remote", "http://x")]
    [InlineData("--kv-remote: saw the setting 'colour'", "--kv-remote", "redis://x?colour=red")]
    [InlineData("nothing-here", "--kv-remote", "redis://x", "--kv-remote-key-file", "/nothing-here")]
    public void What_is_wrong_is_one_line(string expected, params string[] flags) =>
        Run(["run", "hi", "--no-persist", .. flags]).Fails(expected.StartsWith("--", StringComparison.Ordinal) ? 2 : 1, expected);
}
