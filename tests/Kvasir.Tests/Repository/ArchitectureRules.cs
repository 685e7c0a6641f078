using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary>What the projects and their folders may use, held against what they do use.</summary>
public class ArchitectureRules
{
    static readonly string[] s_cachePackages = ["System.IO.Hashing", "Microsoft.Data.Sqlite"];

    public static TheoryData<string> Projects => [.. ProjectFile.All.Select(project => project.Name)];

    [Fact]
    public void Every_project_has_a_rule() =>
        Assert.Equal(ProjectFile.All.Select(project => project.Name).Order(), ArchitectureTable.Rules.Select(rule => rule.Project).Order());

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_project_refers_to_what_it_uses_and_uses_what_its_rule_says(string project)
    {
        ProjectRule rule = ArchitectureTable.Of(project);
        Use? forbidden = FoundUses.Of(project).FirstOrDefault(use => use.To.Project != project && !rule.Allows(use.From, use.To));
        Assert.True(forbidden is null, $"{forbidden}: {project} may use {Listed(rule.Uses)}");
        Assert.Equal(rule.Uses.Order(), FoundUses.Of(project).Select(use => use.To.Project).Where(used => used != project).Distinct().Order());
        Assert.Subset(rule.Uses.ToHashSet(), ProjectFile.Named(project).References.ToHashSet());
    }

    [Fact]
    public void Projects_use_only_what_stands_before_them()
    {
        string[] order = [.. ArchitectureTable.Rules.Select(rule => rule.Project)];
        Assert.All(ArchitectureTable.Rules, rule => Assert.All(rule.Uses, use => Assert.InRange(Array.IndexOf(order, use), 0, Array.IndexOf(order, rule.Project) - 1)));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_folder_uses_what_its_rule_says(string project)
    {
        Assert.SkipWhen(project == ArchitectureTable.UnderReconstruction, $"{project}'s folders are being built anew");
        ProjectRule rule = ArchitectureTable.Of(project);
        string[] forbidden = [.. FoundUses.Of(project).Where(use => use.To.Project == project && !rule.Allows(use.From, use.To)).Select(use => $"{use} (from {use.From.Name})")];
        Assert.True(forbidden.Length == 0, $"{string.Join('\n', forbidden)}\nno rule of {project} allows that");
        Assert.True(Sorted(rule.Folders) == Sorted(FoundUses.Lines(ProjectFile.Named(project))), $"the rule of {project} should be, in an order that holds:\n{FoundUses.Lines(ProjectFile.Named(project))}");
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_namespace_is_its_folder(string project)
    {
        ProjectFile file = ProjectFile.Named(project);
        foreach (string source in file.Sources)
            if (Array.Find(RepositoryFiles.Lines(source), line => line.StartsWith("namespace ", StringComparison.Ordinal)) is { } line)
                Assert.True(Folder.Of(file, line["namespace ".Length..].TrimEnd(';')) == file.FolderOf(source), $"{source}: {line} is not its folder");
            else
                Assert.True(file.FolderOf(source).Name == Folder.Root, $"{source}: no namespace, expected its folder's");
    }

    [Fact]
    public void A_rule_that_would_close_a_cycle_cannot_be_written()
    {
        ProjectRule cycle = new("Kvasir.Formats", [], "Gguf -> Quantization\nQuantization -> Gguf");
        Assert.Contains("Gguf -> Quantization, expected a folder that stands above Gguf", Assert.Throws<InvalidDataException>(() => cycle.Lines()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_use_is_found_where_it_stands_whether_named_or_not()
    {
        Use[] uses = [.. FoundUses.Of("Kvasir.Tests").Where(use => use.File.EndsWith("/ArchitectureRules.cs", StringComparison.Ordinal))];
        string[] lines = RepositoryFiles.Lines(uses[0].File);
        Assert.Contains(uses, use => use.Symbol == "Checkout.Root" && lines[use.Line - 1].Contains("Checkout.Root", StringComparison.Ordinal));
        Assert.Contains(FoundUses.Of("Kvasir.Server"), use => use is { Symbol: "ServerMetrics.Name", From.Name: "Observability", To.Name: "Accounting" }); // a constant
    }

    [Fact]
    public void The_cache_needs_hashing_and_sqlite_at_most() =>
        Assert.Subset(s_cachePackages.ToHashSet(), ProjectFile.Named("Kvasir.KvCache").Packages.ToHashSet());

    [Fact]
    public void The_drawn_dependencies_are_those_that_hold()
    {
        string drawing = DependencyDrawing.Of(ArchitectureTable.Rules), page = File.ReadAllText(Path.Combine(Checkout.Root, "docs/architecture.md"));
        Assert.True(page.Contains(drawing, StringComparison.Ordinal), $"docs/architecture.md: the dependencies should be drawn so:\n{drawing}");
    }

    static string Listed(string[] names) => names.Length == 0 ? "nothing of others" : string.Join(", ", names);

    static string Sorted(string lines) => string.Join('\n', lines.Split('\n').Order(StringComparer.Ordinal));
}
