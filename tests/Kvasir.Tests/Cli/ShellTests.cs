using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>What a shell may do to a program: streams that are closed, a home that is not there, names that are something else.</summary>
public sealed class ShellTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Input_that_is_closed_is_empty()
    {
        RunRedirected("<&-", "run").Fails(2, "the prompt is empty");
        RunRedirected("<&-", "chat").Succeeds();
        RunRedirected("<&-", "run", "-f", "-", "hi").Fails(1, "standard input: empty, expected a text");
        Assert.Equal("0 tokens", RunRedirected("<&-", "tokenize").Succeeds().Errors.Trim());
    }

    [Fact]
    public void Who_closes_standard_error_hears_the_answer_alone()
    {
        KvasirResult result = RunRedirected("2>&-", "run", "-n", "5", "hi");
        Assert.Equal((0, Run("run", "-n", "5", "hi").Output, ""), (result.ExitCode, result.Output, result.Errors));
        result = RunRedirected("2>&-", "run", "--nonsense");
        Assert.Equal((2, "", ""), (result.ExitCode, result.Output, result.Errors));
    }

    [Theory]
    [InlineData("run", "hi")]
    [InlineData("--help")]
    [InlineData("serve", "--port", "0")]
    public void An_answer_has_to_go_somewhere(params string[] args)
    {
        RunRedirected(">&-", args).Fails(1, "standard output is closed");
        KvasirResult all = RunRedirected("<&- >&- 2>&-", args);
        Assert.Equal((1, ""), (all.ExitCode, all.Errors));
    }

    [Fact]
    public void Without_a_home_nothing_is_kept_and_who_asks_hears_it()
    {
        Dictionary<string, string> nowhere = new() { ["HOME"] = _folder["missing"], ["XDG_CACHE_HOME"] = "" };
        string Errors(params string[] flags) => RunIn(nowhere, ["run", "-n", "2", "hi", .. flags]).Succeeds().Errors;
        Assert.Contains("there is no home directory", Errors("-v"), StringComparison.Ordinal);
        Assert.DoesNotContain("home", Errors(), StringComparison.Ordinal);
        Assert.DoesNotContain("home", Errors("-v", "--no-persist"), StringComparison.Ordinal);
    }

    [Fact]
    public void A_file_in_the_place_of_the_directory_is_called_one()
    {
        string file = _folder.Write("taken", [1]);
        string expected = $"{file}: a file, expected a directory";
        foreach (string folder in (string[])[file, Path.Combine(file, "below")])
        {
            Assert.Contains(expected, Run("run", "--kv-dir", folder, "-n", "2", "hi").Succeeds().Errors, StringComparison.Ordinal);
            Run("kv", "stat", "--kv-dir", folder).Fails(1, expected);
            Run("run", "--session", "a", "--kv-dir", folder, "hi").Fails(1, expected);
        }
        Assert.Equal([1], File.ReadAllBytes(file));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n\t\n")]
    public void A_document_that_says_nothing_is_none(string text)
    {
        string file = _folder.Write("empty.txt", System.Text.Encoding.UTF8.GetBytes(text));
        Run("run", "-f", file, "Who?").Fails(1, $"{file}: empty, expected a text");
        Run("chat", "-f", file).Fails(1, $"{file}: empty, expected a text");
        Run("kv", "warm", "-f", file, "Who?").Fails(1, $"{file}: empty, expected a text");
    }
}
