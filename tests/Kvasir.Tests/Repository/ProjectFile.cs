using System.Xml.Linq;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary>A project of the solution, as its file describes it.</summary>
sealed class ProjectFile
{
    readonly XDocument _xml;

    ProjectFile(string path)
    {
        _xml = XDocument.Load(Path.Combine(Checkout.Root, path));
        Name = Path.GetFileNameWithoutExtension(path);
        Directory = path[..path.LastIndexOf('/')];
    }

    /// <summary>All of them, tracked or about to be.</summary>
    public static IReadOnlyList<ProjectFile> All { get; } = [.. RepositoryFiles.EndingIn(".csproj").Select(path => new ProjectFile(path))];

    /// <summary>Those that were built with these tests: all are when the solution was, and otherwise those that the tests use.</summary>
    public static IReadOnlyList<ProjectFile> Built { get; } = [.. All.Where(project => File.Exists(project.Assembly))];

    public static ProjectFile Named(string name) => All.Single(project => project.Name == name);

    /// <summary>The project's name, and its assembly's.</summary>
    public string Name { get; }

    /// <summary>From the checkout's folder on, without a slash at its end.</summary>
    public string Directory { get; }

    public string RootNamespace => _xml.Descendants("RootNamespace").FirstOrDefault()?.Value ?? Name;

    /// <summary>Projects whose symbols it may use.</summary>
    public IEnumerable<string> References => _xml.Descendants("ProjectReference")
        .Where(reference => (string?)reference.Attribute("ReferenceOutputAssembly") != "false") // those only have to compile
        .Select(reference => Path.GetFileNameWithoutExtension((string)reference.Attribute("Include")!));

    public IEnumerable<string> Packages => Included("PackageReference");

    /// <summary>Namespaces that all its files see.</summary>
    public IEnumerable<string> GlobalUsings => Included("Using");

    /// <summary>Its source files, from the checkout's folder on.</summary>
    public IEnumerable<string> Sources =>
        RepositoryFiles.EndingIn(".cs").Where(path => path.StartsWith(Directory + "/", StringComparison.Ordinal));

    /// <summary>The folder that a source file of it lies in.</summary>
    public Folder FolderOf(string source)
    {
        int end = source.LastIndexOf('/');
        return new Folder(Name, end > Directory.Length ? source[(Directory.Length + 1)..end] : Folder.Root);
    }

    /// <summary>Whether a namespace is one of its folders'.</summary>
    public bool Owns(string space) => space == RootNamespace || space.StartsWith(RootNamespace + ".", StringComparison.Ordinal);

    /// <summary>The assembly that was built with these tests.</summary>
    public string Assembly
    {
        get
        {
            string output = AppContext.BaseDirectory.TrimEnd(Path.DirectorySeparatorChar);
            return Path.Combine(output, "..", "..", Name, Path.GetFileName(output), Name + ".dll");
        }
    }

    IEnumerable<string> Included(string kind) =>
        _xml.Descendants(kind).Select(element => ((string)element.Attribute("Include")!).Replace('\\', '/'));
}
