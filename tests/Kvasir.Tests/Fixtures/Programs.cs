using System.Diagnostics;

namespace Kvasir.Tests.Fixtures;

/// <summary>Other people's programs, which may be missing.</summary>
static class Programs
{
    /// <summary>Skips the test when a program is not installed.</summary>
    public static void Need(params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
            Assert.SkipUnless(Find(name) is not null, $"needs {name}, which is not installed");
    }

    /// <summary>Runs a program to its end, or ends it with the test.</summary>
    public static async Task<(int ExitCode, string Output, string Errors)> Run(ProcessStartInfo start, string input = "")
    {
        (start.RedirectStandardInput, start.RedirectStandardOutput, start.RedirectStandardError) = (true, true, true);
        using Process process = Process.Start(start)!;
        Task<string> output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken),
            errors = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        try
        {
            await process.StandardInput.WriteAsync(input);
            process.StandardInput.Close();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
            return (process.ExitCode, await output, await errors);
        }
        finally
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
    }

    /// <summary>Where a program is; null when it is not installed.</summary>
    public static string? Find(string name) => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .SelectMany(
            folder => (string[])[Path.Combine(folder, name), Path.Combine(folder, $"{name}.exe"), Path.Combine(folder, $"{name}.cmd")])
        .FirstOrDefault(File.Exists);
}
