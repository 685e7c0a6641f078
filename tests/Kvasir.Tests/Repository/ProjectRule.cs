using System.Text.RegularExpressions;

namespace Kvasir.Tests.Repository;

/// <summary>What a project may use, and its folders of each other.</summary>
/// <param name="Project">The project.</param>
/// <param name="Uses">Other projects whose symbols it uses.</param>
/// <param name="Folders">
/// Its folders from the bottom up, a line each, which goes on behind a comma: <c>Model -> Kernels, Kernels/Panels</c>. A folder uses only
/// what stands above it, so that no cycle can be declared.
/// </param>
sealed record ProjectRule(string Project, string[] Uses, string Folders)
{
    /// <summary>The folders in their order, each with those it may use.</summary>
    /// <exception cref="InvalidDataException">A folder uses one that is not declared before it: there would be a cycle.</exception>
    public IReadOnlyList<(string Folder, string[] Uses)> Lines()
    {
        List<(string Folder, string[] Uses)> lines = [];
        foreach (string line in OneLineEach().Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] sides = line.Split(" -> ");
            string[] uses = sides.Length > 1 ? sides[1].Split(", ") : [];
            foreach (string use in uses)
                if (!lines.Exists(known => known.Folder == use))
                    throw new InvalidDataException($"{Project}: {sides[0]} -> {use}, expected a folder that stands above {sides[0]}");
            lines.Add((sides[0], uses));
        }
        return lines;
    }

    /// <summary>The folders, each with all that it may use on one line.</summary>
    public string OneLineEach() => Regex.Replace(Folders, ",\\s+", ", ");

    /// <summary>Whether a folder may use another one, of this project or another.</summary>
    public bool Allows(Folder from, Folder to) => from.Project == to.Project
        ? Lines().Any(line => line.Folder == from.Name && line.Uses.Contains(to.Name))
        : Uses.Contains(to.Project);
}
