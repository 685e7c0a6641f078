using System.Diagnostics;
using System.Xml.Linq;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary>Rules of the project that the compiler does not hold.</summary>
public class ArchitectureRules
{
    /// <summary>What each project may refer to. Nothing points up, and the cache knows no model.</summary>
    static readonly Dictionary<string, string[]> s_arrows = new()
    {
        ["Kvasir.Formats"] = [],
        ["Kvasir.KvCache"] = [],
        ["Kvasir.Planning"] = ["Kvasir.Formats", "Kvasir.KvCache"],
        ["Kvasir.Inference"] = ["Kvasir.Formats", "Kvasir.KvCache"],
        ["Kvasir.Server"] = ["Kvasir.Inference", "Kvasir.Planning"],
        ["Kvasir.Cli"] = ["Kvasir.Inference", "Kvasir.Planning", "Kvasir.Server"],
        ["Kvasir.Tests"] = ["Kvasir.KvCache", "Kvasir.Inference", "Kvasir.Server", "Kvasir.Cli", "Kvasir.Serving"],
        ["Kvasir.Benchmarks"] = ["Kvasir.KvCache", "Kvasir.Inference"],
        ["Kvasir.Serving"] = [],
        ["TrainSaga"] = ["Kvasir.Inference"],
    };

    static readonly string[] s_cachePackages = ["System.IO.Hashing", "Microsoft.Data.Sqlite"];

    /// <summary>Inside Inference: what each folder may use of the others.</summary>
    static readonly Dictionary<string, string[]> s_folders = new()
    {
        ["Sampling"] = ["Tokenization", "Formats"],
        ["Saga"] = [],
        ["Templates"] = ["Formats"],
        ["Tokenization"] = ["Formats", "Templates"],
        ["Synthesis"] = ["Formats", "Model", "Tokenization", "Sampling"],
        ["Kernels"] = ["Formats"],
        ["Model"] = ["Kernels", "Formats"],
        ["Measurement"] = ["Scheduling", "Model", "Kernels", "Formats"],
        ["Scheduling"] = ["Model", "Kernels", "Sampling", "Tokenization", "Formats"],
        ["Chat"] = ["Templates", "Tokenization", "Sampling", "Formats"],
        ["Evaluation"] = ["Chat", "Saga", "Sampling", "Scheduling", "Measurement"],
        ["ExtensionsAI"] = ["Chat", "Scheduling", "Templates", "Sampling", "Saga", "Formats"],
    };

    static string[] Sources() => Git("ls-files", "--cached", "--others", "--exclude-standard");

    [Fact]
    public void Projects_refer_only_downwards()
    {
        string[] projects = [.. Sources().Where(path => path.EndsWith(".csproj", StringComparison.Ordinal))];
        Assert.Equal(s_arrows.Keys.Order(), projects.Select(path => Path.GetFileNameWithoutExtension(path)).Order());
        foreach (string project in projects)
            Assert.Subset(s_arrows[Path.GetFileNameWithoutExtension(project)].ToHashSet(), References(project, "ProjectReference").Select(path => Path.GetFileNameWithoutExtension(path)).ToHashSet());
    }

    [Fact]
    public void The_cache_needs_hashing_and_sqlite_at_most() =>
        Assert.Subset(s_cachePackages.ToHashSet(), References("src/Kvasir.KvCache/Kvasir.KvCache.csproj", "PackageReference").ToHashSet());

    [Fact]
    public void Folders_of_inference_use_only_what_lies_below_them()
    {
        foreach ((string folder, string[] allowed) in s_folders)
            foreach (string file in Sources().Where(path => path.StartsWith($"src/Kvasir.Inference/{folder}/", StringComparison.Ordinal) && path.EndsWith(".cs", StringComparison.Ordinal)))
                foreach (string used in Usings(file).Where(used => used.StartsWith("Kvasir.Inference.", StringComparison.Ordinal)))
                    Assert.True(used.Split('.')[2] is var name && (name == folder || allowed.Contains(name)), $"{file} uses {used}");
    }

    [Fact]
    public void The_cache_knows_no_engine() =>
        Assert.DoesNotContain(Sources().Where(path => path.StartsWith("src/Kvasir.KvCache/", StringComparison.Ordinal) && path.EndsWith(".cs", StringComparison.Ordinal)),
            path => Usings(path).Any(used => used.StartsWith("Kvasir.", StringComparison.Ordinal) && !used.StartsWith("Kvasir.KvCache", StringComparison.Ordinal)));

    [Fact]
    public void No_folder_says_nothing_about_its_content() =>
        Assert.DoesNotContain(Sources(), path => path.Split('/')[..^1].Any(folder => folder is "Utils" or "Util" or "Utilities" or "Common" or "Core" or "Managers" or "Helpers" or "Misc"));

    [Fact]
    public void Files_stay_readable()
    {
        foreach (string path in Sources().Where(path => path.EndsWith(".cs", StringComparison.Ordinal)))
            Assert.True(File.ReadLines(Path.Combine(Checkout.Root, path)).Count() <= 400, $"{path} has more than 400 lines");
        Assert.InRange(File.ReadLines(Path.Combine(Checkout.Root, "README.md")).Count(), 1, 150);
    }

    [Fact]
    public void The_readme_names_the_test_command_that_ci_runs()
    {
        string readme = File.ReadAllText(Path.Combine(Checkout.Root, "README.md")), ci = File.ReadAllText(Path.Combine(Checkout.Root, ".ci/run"));
        Assert.Contains("\ndotnet test\n", readme, StringComparison.Ordinal);
        Assert.Contains("\ndotnet test ", ci, StringComparison.Ordinal);
    }

    static IEnumerable<string> References(string project, string kind) =>
        XDocument.Load(Path.Combine(Checkout.Root, project)).Descendants(kind).Select(reference => ((string)reference.Attribute("Include")!).Replace('\\', '/'));

    static IEnumerable<string> Usings(string path) =>
        File.ReadLines(Path.Combine(Checkout.Root, path)).Where(line => line.StartsWith("using ", StringComparison.Ordinal))
            .Select(line => line["using ".Length..].Replace("static ", "", StringComparison.Ordinal).TrimEnd(';'));

    /// <summary>The files of the project, tracked or about to be; in an archive without git, the files on disk.</summary>
    static string[] Git(params string[] arguments)
    {
        if (!Directory.Exists(Path.Combine(Checkout.Root, ".git")) && !File.Exists(Path.Combine(Checkout.Root, ".git")))
            return [.. Directory.EnumerateFiles(Checkout.Root, "*", SearchOption.AllDirectories).Select(path => Path.GetRelativePath(Checkout.Root, path).Replace('\\', '/'))
                .Where(path => !path.StartsWith("artifacts/", StringComparison.Ordinal))];
        using Process git = Process.Start(new ProcessStartInfo("git", arguments) { WorkingDirectory = Checkout.Root, RedirectStandardOutput = true })!;
        string[] lines = git.StandardOutput.ReadToEnd().Split('\n', StringSplitOptions.RemoveEmptyEntries);
        git.WaitForExit();
        return [.. lines.Where(line => File.Exists(Path.Combine(Checkout.Root, line)))];
    }
}
