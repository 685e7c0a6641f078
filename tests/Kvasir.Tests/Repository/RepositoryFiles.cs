using System.Diagnostics;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary>The files of the project, tracked or about to be; in an archive without git, the files on disk.</summary>
static class RepositoryFiles
{
    /// <summary>Paths from the checkout's folder on, with slashes.</summary>
    public static IReadOnlyList<string> All { get; } = Find();

    public static IEnumerable<string> EndingIn(string end) => All.Where(path => path.EndsWith(end, StringComparison.Ordinal));

    public static string[] Lines(string path) => File.ReadAllLines(Path.Combine(Checkout.Root, path));

    static string[] Find()
    {
        string git = Path.Combine(Checkout.Root, ".git");
        IEnumerable<string> paths = Directory.Exists(git) || File.Exists(git)
            ? Git("ls-files", "--cached", "--others", "--exclude-standard").Where(path => File.Exists(Path.Combine(Checkout.Root, path)))
            : Directory.EnumerateFiles(Checkout.Root, "*", SearchOption.AllDirectories)
                .Select(path => Path.GetRelativePath(Checkout.Root, path).Replace('\\', '/'))
                .Where(path => !path.StartsWith("artifacts/", StringComparison.Ordinal))
                .Where(path => !path.Contains("/node_modules/", StringComparison.Ordinal));
        return [.. paths.Order(StringComparer.Ordinal)];
    }

    static string[] Git(params string[] arguments)
    {
        ProcessStartInfo start = new("git", arguments) { WorkingDirectory = Checkout.Root, RedirectStandardOutput = true };
        using Process git = Process.Start(start)!;
        string[] lines = git.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        return lines;
    }
}
