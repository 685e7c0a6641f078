namespace Kvasir.Tests.Repository;

/// <summary>Which symbols the folders of all projects use of each other.</summary>
static class FoundUses
{
    static readonly Lazy<ILookup<string, Use>> s_byProject = new(() => ProjectFile.Built.AsParallel()
        .SelectMany(project => AssemblyUses.Of(project).Concat(ConstantUses.Of(project))).ToLookup(use => use.From.Project));

    /// <summary>What a project uses.</summary>
    public static IEnumerable<Use> Of(string project)
    {
        bool isBuilt = ProjectFile.Built.Any(known => known.Name == project);
        Assert.SkipUnless(isBuilt, $"{project} was not built with the tests; `dotnet test` builds the solution");
        return s_byProject.Value[project];
    }

    /// <summary>
    /// A project's folders with what they use of each other, from the bottom up: what its rule should say. Folders of a cycle come last.
    /// </summary>
    public static string Lines(ProjectFile project)
    {
        Dictionary<string, HashSet<string>> left = [];
        foreach (string source in project.Sources)
            left.TryAdd(project.FolderOf(source).Name, []);
        foreach (Use use in Of(project.Name).Where(use => use.To.Project == project.Name))
            left[use.From.Name].Add(use.To.Name);
        List<string> lines = [], done = [];
        while (left.Count > 0)
        {
            string[] names = [.. left.Keys.Order(StringComparer.Ordinal)];
            string next = Array.Find(names, folder => left[folder].IsSubsetOf(done)) ?? names[0];
            lines.Add(left[next].Count == 0 ? next : $"{next} -> {string.Join(", ", left[next].Order(StringComparer.Ordinal))}");
            done.Add(next);
            left.Remove(next);
        }
        return string.Join('\n', lines);
    }
}
