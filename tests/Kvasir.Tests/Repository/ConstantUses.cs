using System.Reflection;
using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;
using System.Text.RegularExpressions;

namespace Kvasir.Tests.Repository;

/// <summary>
/// Uses that leave no trace in an assembly: of a constant or an enum's member the compiler writes down the value, of <c>nameof</c> the
/// text. They are read from the sources, where they stand as <c>Type.Member</c> of a type whose namespace the file sees.
/// </summary>
static partial class ConstantUses
{
    static readonly ILookup<string, (string Namespace, Folder Folder)> s_symbols =
        ProjectFile.Built.SelectMany(SymbolsOf).ToLookup(symbol => symbol.Name, symbol => (symbol.Namespace, symbol.Folder));

    public static IEnumerable<Use> Of(ProjectFile project) => project.Sources.SelectMany(source => Of(project, source));

    static IEnumerable<Use> Of(ProjectFile project, string source)
    {
        string[] lines = RepositoryFiles.Lines(source);
        Folder from = project.FolderOf(source);
        HashSet<string> seen = [.. project.GlobalUsings, .. Named(lines, Import())];
        string own = Named(lines, Namespace()).FirstOrDefault() ?? project.RootNamespace;
        for (int line = 0; line < lines.Length; line++)
            foreach (Match match in Symbol().Matches(lines[line].Split("//")[0]))
                foreach ((string space, Folder to) in s_symbols[match.Groups["name"].Value])
                    if (to != from && (seen.Contains(space) || own.StartsWith(space + ".", StringComparison.Ordinal)))
                        yield return new Use(from, to, match.Groups["name"].Value, source, line + 1);
    }

    static IEnumerable<string> Named(string[] lines, Regex directive) =>
        lines.Select(line => directive.Match(line)).Where(match => match.Success).Select(match => match.Groups[1].Value);

    /// <summary>The types of a project, for <c>nameof</c>, and the constants in them.</summary>
    static List<(string Name, string Namespace, Folder Folder)> SymbolsOf(ProjectFile project)
    {
        using PEReader image = new(File.OpenRead(project.Assembly));
        MetadataReader metadata = image.GetMetadataReader();
        List<(string, string, Folder)> symbols = [];
        foreach (TypeDefinition type in metadata.TypeDefinitions.Select(metadata.GetTypeDefinition))
        {
            (string name, string space) = (metadata.GetString(type.Name), metadata.GetString(type.Namespace));
            if (!project.Owns(space))
                continue;
            Folder folder = Folder.Of(project, space);
            symbols.Add((name, space, folder));
            foreach (FieldDefinition field in type.GetFields().Select(metadata.GetFieldDefinition))
                if (field.Attributes.HasFlag(FieldAttributes.Literal))
                    symbols.Add(($"{name}.{metadata.GetString(field.Name)}", space, folder));
        }
        return symbols;
    }

    [GeneratedRegex(@"^using (?:static )?([\w.]+);")]
    private static partial Regex Import();

    [GeneratedRegex(@"^namespace ([\w.]+);")]
    private static partial Regex Namespace();

    [GeneratedRegex(@"\bnameof\((?<name>[A-Z]\w*)|(?<![\w.])(?<name>[A-Z]\w*\.[A-Z]\w*)")]
    private static partial Regex Symbol();
}
