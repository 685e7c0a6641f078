using System.Text;

namespace Kvasir.Tests.Repository;

/// <summary>
/// Draws what the rules allow, which is what is used: the projects as a graph, and the folders of those under <c>src</c> as lists.
/// </summary>
static class DependencyDrawing
{
    const string Begin = "<!-- dependencies: drawn from the rules that tests check; a test prints this block when it is not true -->";
    const string End = "<!-- /dependencies -->";

    public static string Of(IReadOnlyList<ProjectRule> rules)
    {
        StringBuilder text = new($"{Begin}\n```mermaid\nflowchart TD\n");
        foreach (ProjectRule rule in rules.Reverse())
            foreach (string use in WithoutImplied(rule, rules))
                text.Append($"    {rule.Project} --> {use}\n");
        text.Append("```\n\nWhat a folder uses of its own project; each stands below what it uses.\n\n```\n");
        text.AppendJoin('\n', rules.Where(IsOurs).Select(Folders));
        return text.Append($"```\n{End}").ToString();
    }

    static bool IsOurs(ProjectRule rule) => ProjectFile.Named(rule.Project).Directory.StartsWith("src/", StringComparison.Ordinal);

    /// <summary>The arrows that no way over another project implies.</summary>
    static IEnumerable<string> WithoutImplied(ProjectRule rule, IReadOnlyList<ProjectRule> rules) =>
        rule.Uses.Where(use => !rule.Uses.Any(other => other != use && rules.First(known => known.Project == other).Uses.Contains(use)));

    static string Folders(ProjectRule rule)
    {
        IReadOnlyList<(string Folder, string[] Uses)> lines = rule.Lines();
        int width = lines.Max(line => line.Folder.Length);
        return $"{rule.Project}\n" + string.Concat(lines.Select(line => line.Uses.Length == 0
            ? $"    {line.Folder}\n"
            : $"    {line.Folder.PadRight(width)} ─▶ {string.Join(", ", line.Uses)}\n"));
    }
}
