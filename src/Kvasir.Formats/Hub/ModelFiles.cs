using Kvasir.Formats.Gguf;

namespace Kvasir.Formats.Hub;

/// <summary>Opens a model, whatever it is stored as.</summary>
public static class ModelFiles
{
    /// <summary>Opens a GGUF file, the first of several that hold one model, or a folder as Hugging Face's hub has it.</summary>
    /// <exception cref="ModelFormatException">It is missing, damaged or of an unknown kind; one line says where and why.</exception>
    public static IModelFile Open(string path) =>
        Directory.Exists(path) ? HubFolder.Open(path) : GgufShards.IsNamedSo(path) ? GgufShards.Open(path) : GgufFile.Open(path);

    /// <summary>
    /// The files that a model consists of: all in its folder, or all that were split from one, by name. Links are followed to what they
    /// lead to; those that lead nowhere are left out.
    /// </summary>
    public static IReadOnlyList<FileInfo> PartsOf(string path)
    {
        IEnumerable<string> files = Directory.Exists(path)
            ? Directory.EnumerateFiles(path).Order(StringComparer.Ordinal)
            : GgufShards.PathsOf(path);
        return [.. files.Select(file => new FileInfo(file))
            .Select(file => file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target ? target : file).Where(file => file.Exists)];
    }

    /// <summary>
    /// What GGUF files call an architecture of a <c>config.json</c>; the name itself where they are not known to call it anything.
    /// </summary>
    public static string ArchitectureOf(string modelType) => HubFamily.Find(modelType)?.Architecture ?? modelType;
}
