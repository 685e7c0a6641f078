namespace Kvasir.Tests.Repository;

/// <summary>A folder of a project; the files beside the project's own are in <c>(root)</c>.</summary>
readonly record struct Folder(string Project, string Name)
{
    public const string Root = "(root)";

    /// <summary>The folder that a namespace belongs to: <c>Kvasir.KvCache.Tiers.Disk</c> to <c>Tiers/Disk</c> of Kvasir.KvCache.</summary>
    public static Folder Of(ProjectFile project, string name) => new(project.Name, name.Length > project.RootNamespace.Length
        ? name[(project.RootNamespace.Length + 1)..].Replace('.', '/')
        : Root);

    public override string ToString() => $"{Project}/{Name}";
}

/// <summary>A place where one folder uses a symbol of another.</summary>
/// <param name="From">Who uses it.</param>
/// <param name="To">Whose it is.</param>
/// <param name="Symbol">The type, or the type and its member.</param>
/// <param name="File">The file, from the checkout's folder on.</param>
/// <param name="Line">The line, counted from 1.</param>
sealed record Use(Folder From, Folder To, string Symbol, string File, int Line)
{
    public override string ToString() => $"{File}:{Line}: {Symbol} of {To}";
}
