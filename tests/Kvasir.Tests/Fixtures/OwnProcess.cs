using System.Diagnostics;

namespace Kvasir.Tests.Fixtures;

/// <summary>Runs one of these tests in a process of its own: what would end this one is an exit code there.</summary>
static class OwnProcess
{
    const string Variable = "KVASIR_TEST_PART";

    /// <summary>What this process is told, when it is the child for a test; else the test is skipped.</summary>
    public static string Argument(string method)
    {
        string? part = Environment.GetEnvironmentVariable(Variable);
        Assert.SkipWhen(part is null || !part.StartsWith(method + " ", StringComparison.Ordinal),
            "part of another test, which runs it in a process of its own");
        return part[(method.Length + 1)..];
    }

    /// <summary>Runs a test and tells it something; returns its exit code, and what it said.</summary>
    public static (int ExitCode, string Output) Run(Type tests, string method, string argument)
    {
        ProcessStartInfo start = new(Environment.ProcessPath!, ["-noColor", "-method", $"{tests.FullName}.{method}"])
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        start.Environment[Variable] = $"{method} {argument}";
        using Process child = Process.Start(start)!;
        Task<string> output = child.StandardOutput.ReadToEndAsync(), errors = child.StandardError.ReadToEndAsync();
        if (!child.WaitForExit(TimeSpan.FromMinutes(Environment.GetEnvironmentVariable("KVASIR_TEST_CASES") is null ? 2 : 60)))
        {
            child.Kill(entireProcessTree: true);
            Assert.Fail($"{method} {argument} hangs: {output.Result}{errors.Result}");
        }
        return (child.ExitCode, output.Result + errors.Result);
    }

    /// <summary>Runs a test, which has to pass.</summary>
    public static void RunToTheEnd(Type tests, string method, string argument)
    {
        (int exitCode, string output) = Run(tests, method, argument);
        Assert.True(exitCode == 0, $"exit code {exitCode}: {output[^Math.Min(output.Length, 8000)..]}");
    }

    /// <summary>How many cases a generator makes: a few, or KVASIR_TEST_CASES of them.</summary>
    public static int Cases(int usual) =>
        int.TryParse(Environment.GetEnvironmentVariable("KVASIR_TEST_CASES"), out int cases) ? cases : usual;
}
