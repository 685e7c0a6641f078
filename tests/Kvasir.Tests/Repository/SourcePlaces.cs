using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Text.RegularExpressions;

namespace Kvasir.Tests.Repository;

/// <summary>Where the code of an assembly stands in the sources, by its symbols file.</summary>
sealed class SourcePlaces : IDisposable
{
    static readonly Guid s_typeDocuments = new("932E74BC-DBA9-4478-8D46-0F32A7BAB3D3"); // Portable PDB: documents of types without code

    readonly ProjectFile _project;
    readonly MetadataReaderProvider _provider;
    readonly MetadataReader _pdb;

    public SourcePlaces(ProjectFile project)
    {
        _project = project;
        _provider = MetadataReaderProvider.FromPortablePdbStream(File.OpenRead(Path.ChangeExtension(project.Assembly, ".pdb")));
        _pdb = _provider.GetMetadataReader();
    }

    /// <summary>The file and line of an instruction; null for generated code.</summary>
    public (string File, int Line)? Of(MethodDefinitionHandle method, int offset)
    {
        SequencePoint? found = null;
        foreach (SequencePoint point in _pdb.GetMethodDebugInformation(method).GetSequencePoints())
            if (!point.IsHidden && (found is null || point.Offset <= offset))
                found = point;
        return found is { } at && Source(at.Document) is { } file ? (file, at.StartLine) : null;
    }

    /// <summary>The first line of a type's files that names something; the file's first where none does.</summary>
    public (string File, int Line)? Of(TypeDefinition type, TypeDefinitionHandle handle, string name)
    {
        var word = new Regex($@"\b{Regex.Escape(name)}\b");
        (string, int)? first = null;
        foreach (string file in FilesOf(type, handle))
        {
            if (Array.FindIndex(RepositoryFiles.Lines(file), word.IsMatch) is >= 0 and int line)
                return (file, line + 1);
            first ??= (file, 1);
        }
        return first;
    }

    public void Dispose() => _provider.Dispose();

    IEnumerable<string> FilesOf(TypeDefinition type, TypeDefinitionHandle handle)
    {
        IEnumerable<DocumentHandle> ofCode = type.GetMethods()
            .SelectMany(method => _pdb.GetMethodDebugInformation(method).GetSequencePoints().Select(point => point.Document));
        IEnumerable<DocumentHandle> others = _pdb.GetCustomDebugInformation(handle).Select(_pdb.GetCustomDebugInformation)
            .Where(information => _pdb.GetGuid(information.Kind) == s_typeDocuments)
            .SelectMany(information => Documents(_pdb.GetBlobReader(information.Value)));
        return ofCode.Concat(others).Distinct().Select(Source).OfType<string>();
    }

    static List<DocumentHandle> Documents(BlobReader blob)
    {
        List<DocumentHandle> documents = [];
        while (blob.RemainingBytes > 0)
            documents.Add(MetadataTokens.DocumentHandle(blob.ReadCompressedInteger()));
        return documents;
    }

    /// <summary>The path from the checkout's folder on, wherever it was built; null for what generators wrote.</summary>
    string? Source(DocumentHandle document)
    {
        string path = _pdb.GetString(_pdb.GetDocument(document).Name).Replace('\\', '/');
        int at = path.LastIndexOf($"/{_project.Directory}/", StringComparison.Ordinal);
        return at >= 0 ? path[(at + 1)..] : null;
    }
}
