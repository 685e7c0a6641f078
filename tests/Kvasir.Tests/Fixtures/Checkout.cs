namespace Kvasir.Tests.Fixtures;

/// <summary>Where the sources are, and the third-party fixtures that may lie beside them.</summary>
static class Checkout
{
    /// <summary>The folder of <c>Kvasir.slnx</c>.</summary>
    public static string Root { get; } = FindRoot();

    /// <summary>
    /// A file of the <c>shared</c> folder beside the checkout. Third-party models and vocabularies live there and are not ours to ship,
    /// so a test that needs one skips, saying which, where the folder is absent.
    /// </summary>
    public static string Shared(string relativePath)
    {
        string path = Path.Combine(Root, "..", "shared", relativePath);
        Assert.SkipUnless(File.Exists(path), $"needs the third-party fixture shared/{relativePath}, which is not part of the project");
        return Path.GetFullPath(path);
    }

    static string FindRoot()
    {
        for (DirectoryInfo? folder = new(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "Kvasir.slnx")))
                return folder.FullName;
        throw new InvalidOperationException($"Kvasir.slnx not found above {AppContext.BaseDirectory}");
    }
}
