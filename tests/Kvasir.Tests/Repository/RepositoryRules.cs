using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary>Rules of the repository that no tool holds.</summary>
public class RepositoryRules
{
    static readonly string[] s_empty = ["Utils", "Util", "Utilities", "Common", "Core", "Managers", "Helpers", "Misc"];

    [Fact]
    public void No_folder_says_nothing_about_its_content() =>
        Assert.DoesNotContain(RepositoryFiles.All, path => path.Split('/')[..^1].Any(s_empty.Contains));

    [Fact]
    public void Files_stay_readable()
    {
        foreach (string path in RepositoryFiles.EndingIn(".cs"))
            Assert.True(RepositoryFiles.Lines(path).Length <= 400, $"{path} has more than 400 lines");
        Assert.InRange(RepositoryFiles.Lines("README.md").Length, 1, 150);
    }

    [Fact]
    public void The_readme_names_the_test_command_that_ci_runs()
    {
        string readme = File.ReadAllText(Path.Combine(Checkout.Root, "README.md"));
        string ci = File.ReadAllText(Path.Combine(Checkout.Root, ".ci/run"));
        Assert.Contains("\ndotnet test\n", readme, StringComparison.Ordinal);
        Assert.Contains("\ndotnet test ", ci, StringComparison.Ordinal);
    }
}
