using System.Text.RegularExpressions;

namespace Kvasir.Cli.Stores;

/// <summary>
/// A cache of Hugging Face's hub, as its clients share it: <c>models--org--name/</c> with <c>blobs/HASH</c>, <c>refs/BRANCH</c> (a commit)
/// and <c>snapshots/COMMIT/PATH</c>, which are links to blobs or the files themselves.
/// </summary>
sealed partial class HubCache(string root)
{
    public const string MainBranch = "main";

    const string Prefix = "models--", Between = "--";
    const int MostBytesOfRef = 256;

    public string Root => root;

    /// <summary>The folder of a repository.</summary>
    public string Folder(string repository) => Path.Combine(root, Prefix + repository.Replace("/", Between, StringComparison.Ordinal));

    /// <summary>The repositories of which there is anything, in order.</summary>
    public IEnumerable<string> Repositories() => Directory.Exists(root)
        ? Directory.EnumerateDirectories(root, Prefix + "*")
            .Select(path => Path.GetFileName(path)[Prefix.Length..].Replace(Between, "/", StringComparison.Ordinal))
            .Order(StringComparer.Ordinal)
        : [];

    /// <summary>The folder of a branch's newest files that are here; null where there is none.</summary>
    public string? Snapshot(string repository, string revision = MainBranch) => Commit(repository, revision) is { } commit
        && Path.Combine(Folder(repository), "snapshots", commit) is var path && Directory.Exists(path) ? path : null;

    /// <summary>The commit that a branch stood at when it was last asked for; null where it never was.</summary>
    public string? Commit(string repository, string revision)
    {
        FileInfo file = new(Path.Combine(Folder(repository), "refs", revision));
        if (!file.Exists || file.Length > MostBytesOfRef)
            return null;
        string commit = File.ReadAllText(file.FullName).Trim();
        return IsCommit(commit) ? commit : null;
    }

    public static bool IsCommit(string text) => CommitHash().IsMatch(text);

    /// <summary>The paths of a snapshot's files, with <c>/</c>, in order.</summary>
    public static IReadOnlyList<string> Paths(string snapshot) =>
        [.. Directory.EnumerateFiles(snapshot, "*", new EnumerationOptions { MaxRecursionDepth = 8, RecurseSubdirectories = true })
            .Select(path => Path.GetRelativePath(snapshot, path).Replace('\\', '/')).Order(StringComparer.Ordinal)];

    [GeneratedRegex(@"^[0-9a-f]{40}([0-9a-f]{24})?\z")]
    private static partial Regex CommitHash();
}
