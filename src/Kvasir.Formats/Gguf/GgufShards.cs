using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text.RegularExpressions;

namespace Kvasir.Formats.Gguf;

/// <summary>
/// A model in several GGUF files, <c>NAME-00001-of-00003.gguf</c> and so on, shown as the one file that they were split from. What is said
/// of the model stands in the first.
/// </summary>
public sealed partial class GgufShards : IModelFile
{
    const string Keys = "split.", Number = Keys + "no", Count = Keys + "count", AllTensors = Keys + "tensors.count";

    readonly List<GgufFile> _files = [];
    readonly Dictionary<string, GgufFile> _fileOf = new(StringComparer.Ordinal);
    GgufMetadata? _metadata;

    GgufShards(string path) => Path = path;

    /// <summary>The first file.</summary>
    public string Path { get; }

    /// <inheritdoc/>
    public GgufMetadata Metadata => _metadata!;

    /// <summary>Bytes of all files.</summary>
    public long Length => _files.Sum(file => file.Length);

    /// <summary>The version of the format in the first file: 2 or 3.</summary>
    public uint Version => _files[0].Version;

    /// <inheritdoc/>
    public IReadOnlyList<StoredTensor> Tensors { get; private set; } = [];

    /// <summary>Whether a file is named like one of several.</summary>
    public static bool IsNamedSo(string path) => Name().IsMatch(path);

    /// <summary>The paths of all files that belong to the one of a path; that path alone if it is not named like one of several.</summary>
    public static IReadOnlyList<string> PathsOf(string path)
    {
        if (Name().Match(path) is not { Success: true } name)
            return [path];
        string start = path[..name.Index], total = name.Groups["count"].Value;
        return [.. Enumerable.Range(1, int.Parse(total, CultureInfo.InvariantCulture))
            .Select(number => $"{start}-{number:00000}-of-{total}.gguf")];
    }

    /// <summary>Maps all files of a model.</summary>
    /// <param name="path">The first of them.</param>
    /// <exception cref="ModelFormatException">It is not the first, or one is missing, damaged or of another model.</exception>
    public static GgufShards Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        IReadOnlyList<string> paths = PathsOf(path);
        if (paths.Count == 0)
            throw ModelFormatException.At(path, "name", "a part of none", "parts that are numbered from 1");
        if (path != paths[0])
            throw ModelFormatException.At(path, "name", "a further part of a model", $"its first, {Printable.Line(paths[0], 4096)}");
        GgufShards shards = new(path);
        try
        {
            shards.OpenAll(paths);
            return shards;
        }
        catch
        {
            shards.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public bool TryGetTensor(string name, [NotNullWhen(true)] out StoredTensor? tensor)
    {
        tensor = null;
        return _fileOf.TryGetValue(name, out GgufFile? file) && file.TryGetTensor(name, out tensor);
    }

    /// <inheritdoc/>
    public ReadOnlySpan<byte> Row(StoredTensor tensor, long row)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        return _fileOf[tensor.Name].Row(tensor, row);
    }

    /// <inheritdoc/>
    public void Read(StoredTensor tensor, long firstRow, Span<byte> rows)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        _fileOf[tensor.Name].Read(tensor, firstRow, rows);
    }

    /// <inheritdoc/>
    public void Forget(StoredTensor tensor, long firstRow, long rows)
    {
        ArgumentNullException.ThrowIfNull(tensor);
        _fileOf[tensor.Name].Forget(tensor, firstRow, rows);
    }

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(file => file.Dispose());

    void OpenAll(IReadOnlyList<string> paths)
    {
        for (int number = 0; number < paths.Count; number++)
            if (!File.Exists(paths[number]))
                throw ModelFormatException.At(
                    paths[number], "file", "it does not exist", $"part {number + 1} of {paths.Count}, beside the others");
        for (int number = 0; number < paths.Count; number++)
        {
            GgufFile file = GgufFile.Open(paths[number]);
            _files.Add(file);
            Expect(file, Count, paths.Count);
            Expect(file, Number, number);
            foreach (StoredTensor tensor in file.Tensors)
                if (!_fileOf.TryAdd(tensor.Name, file))
                    throw ModelFormatException.At(file.Path, $"tensor {Printable.Quote(tensor.Name)}",
                        $"also in {Printable.Line(_fileOf[tensor.Name].Path, 4096)}", "each tensor once");
        }
        Expect(_files[0], AllTensors, _fileOf.Count);
        _metadata = _files[0].Metadata.Without(Keys);
        Tensors = [.. _files.SelectMany(file => file.Tensors)];
    }

    static void Expect(GgufFile file, string key, int expected)
    {
        if (file.Metadata.GetInt32(key) is var seen && seen != expected)
            throw file.Metadata.Invalid(key, $"{seen}", $"{expected}");
    }

    [GeneratedRegex(@"-(?<number>[0-9]{5})-of-(?<count>[0-9]{5})\.gguf\z")]
    private static partial Regex Name();
}
