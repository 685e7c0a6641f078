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
        string[] used = [.. FoundUses.Of(project).Select(use => use.To.Project).Where(other => other != project).Distinct()];
        Assert.Equal(rule.Uses.Order(), used.Order());
        Assert.Subset(rule.Uses.ToHashSet(), ProjectFile.Named(project).References.ToHashSet());
    }

    [Fact]
    public void Projects_use_only_what_stands_before_them()
    {
        string[] order = [.. ArchitectureTable.Rules.Select(rule => rule.Project)];
        foreach (ProjectRule rule in ArchitectureTable.Rules)
            Assert.All(rule.Uses, use => Assert.InRange(Array.IndexOf(order, use), 0, Array.IndexOf(order, rule.Project) - 1));
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_folder_uses_what_its_rule_says(string project)
    {
        ProjectRule rule = ArchitectureTable.Of(project);
        string[] forbidden = [.. FoundUses.Of(project).Where(use => use.To.Project == project && !rule.Allows(use.From, use.To))
            .Select(use => $"{use} (from {use.From.Name})")];
        string some = string.Join('\n', forbidden.Take(20));
        Assert.True(forbidden.Length == 0, $"no rule of {project} allows {forbidden.Length} uses, such as\n{some}");
        string found = FoundUses.Lines(ProjectFile.Named(project));
        Assert.True(
            Sorted(rule.OneLineEach()) == Sorted(found), $"the rule of {project} should be, in an order that holds:\n{found}");
    }

    [Theory]
    [MemberData(nameof(Projects))]
    public void A_namespace_is_its_folder(string project)
    {
        ProjectFile file = ProjectFile.Named(project);
        foreach (string source in file.Sources)
        {
            string? line = Array.Find(RepositoryFiles.Lines(source), line => line.StartsWith("namespace ", StringComparison.Ordinal));
            Folder said = line is null ? new Folder(project, Folder.Root) : Folder.Of(file, line["namespace ".Length..].TrimEnd(';'));
            Assert.True(said == file.FolderOf(source), $"{source}: {line ?? "no namespace"}, expected that of its folder");
        }
    }

    [Fact]
    public void A_rule_that_would_close_a_cycle_cannot_be_written()
    {
        ProjectRule cycle = new("Kvasir.Formats", [], "Gguf -> Quantization\nQuantization -> Gguf");
        string message = Assert.Throws<InvalidDataException>(() => cycle.Lines()).Message;
        Assert.Equal("Kvasir.Formats: Gguf -> Quantization, expected a folder that stands above Gguf", message);
    }

    [Fact]
    public void A_use_is_found_where_it_stands_whether_named_or_not()
    {
        Use[] uses = [.. FoundUses.Of("Kvasir.Server").Where(use => use.From.Name == "Observability")];
        Use found = uses.First(use => use.Symbol == "KvTier.Blocks");
        Assert.Contains(".Blocks", RepositoryFiles.Lines(found.File)[found.Line - 1], StringComparison.Ordinal);
        Assert.Contains(uses, use => use.Symbol == "ServerMetrics.Name"); // a constant
    }

    [Fact]
    public void The_cache_needs_hashing_and_sqlite_at_most() =>
        Assert.Subset(s_cachePackages.ToHashSet(), ProjectFile.Named("Kvasir.KvCache").Packages.ToHashSet());

    [Fact]
    public void The_drawn_dependencies_are_those_that_hold()
    {
        string drawing = DependencyDrawing.Of(ArchitectureTable.Rules);
        string page = File.ReadAllText(Path.Combine(Checkout.Root, "docs/architecture.md"));
        Assert.True(page.Contains(drawing, StringComparison.Ordinal), $"docs/architecture.md: they should be drawn so:\n{drawing}");
    }

    static string Listed(string[] names) => names.Length == 0 ? "nothing of others" : string.Join(", ", names);

    static string Sorted(string lines) => string.Join('\n', lines.Split('\n').Order(StringComparer.Ordinal));
}
