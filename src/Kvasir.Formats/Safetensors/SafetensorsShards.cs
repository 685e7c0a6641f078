using System.Text.Json;

namespace Kvasir.Formats.Safetensors;

/// <summary>
/// The tensors of a folder: in <c>model.safetensors</c>, or in the files that <c>model.safetensors.index.json</c> names for each of them.
/// </summary>
sealed class SafetensorsShards : IDisposable
{
    const string Single = "model.safetensors", Index = Single + ".index.json", Map = "weight_map";

    readonly List<SafetensorsFile> _files = [];

    SafetensorsShards() { }

    public long Length => _files.Sum(file => file.Length);

    /// <summary>All tensors, and where each of them is.</summary>
    public IEnumerable<(SafetensorsFile File, StoredTensor Tensor)> Tensors =>
        _files.SelectMany(file => file.Tensors.Select(tensor => (file, tensor)));

    /// <exception cref="ModelFormatException">A file is missing or damaged, or the index says otherwise than the files.</exception>
    public static SafetensorsShards Open(string folder)
    {
        var shards = new SafetensorsShards();
        try
        {
            string index = Path.Combine(folder, Index), single = Path.Combine(folder, Single);
            if (File.Exists(index))
                shards.OpenAll(folder, index);
            else
                shards._files.Add(File.Exists(single) ? SafetensorsFile.Open(single) : throw NoWeights(folder));
            return shards;
        }
        catch (Exception e)
        {
            shards.Dispose();
            if (e is InvalidOperationException) // what the JSON reader throws when a text is asked for that is no Unicode
                throw ModelFormatException.At(folder, Index, Printable.Line(e.Message), "Unicode");
            throw;
        }
    }

    public void Dispose() => _files.ForEach(file => file.Dispose());

    void OpenAll(string folder, string index)
    {
        using JsonDocument json = JsonFile.Read(index);
        if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty(Map, out JsonElement map)
            || map.ValueKind != JsonValueKind.Object)
            throw ModelFormatException.At(index, Map, "no object", "the file of each tensor");
        Dictionary<string, string> fileOf = map.EnumerateObject().ToDictionary(
            entry => entry.Name, entry => FileName(index, entry.Name, entry.Value), StringComparer.Ordinal);
        foreach (string name in fileOf.Values.Distinct().Order(StringComparer.Ordinal))
            _files.Add(SafetensorsFile.Open(Path.Combine(folder, name)));
        foreach ((SafetensorsFile file, StoredTensor tensor) in Tensors)
            if (!fileOf.Remove(tensor.Name, out string? said))
                throw ModelFormatException.At(file.Path, $"tensor {Printable.Quote(tensor.Name)}", "in a second file, or not in the index",
                    $"each tensor once, as {Index} says");
            else if (said != Path.GetFileName(file.Path))
                throw ModelFormatException.At(file.Path, $"tensor {Printable.Quote(tensor.Name)}", "a tensor of another file",
                    $"it in {Printable.Quote(said)}, as {Index} says");
        if (fileOf.FirstOrDefault() is { Key: not null } missing)
            throw ModelFormatException.At(Path.Combine(folder, missing.Value), $"tensor {Printable.Quote(missing.Key)}", "it is missing",
                $"it in this file, as {Index} says");
    }

    /// <summary>The name of a file beside the index, and nothing that leads elsewhere.</summary>
    static string FileName(string index, string tensor, JsonElement value)
    {
        string name = value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
        return name.EndsWith(".safetensors", StringComparison.Ordinal) && name.AsSpan().IndexOfAny("/\\:\0") < 0
            ? name
            : throw ModelFormatException.At(index, $"{Map}.{Printable.Line(tensor)}", Printable.Line(value.GetRawText()),
                "the name of a safetensors file in the same folder");
    }

    static ModelFormatException NoWeights(string folder) => ModelFormatException.At(
        folder, "weights", $"a directory with {WhatIsIn(folder)}", $"{Single}, or {Index} and the files that it names");

    static string WhatIsIn(string folder)
    {
        string[] names;
        try
        {
            names = [.. Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path)).Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return $"files that cannot be listed ({Printable.Line(e.Message, 160)})";
        }
        string? Like(string suffix) => names.FirstOrDefault(name => name.EndsWith(suffix, StringComparison.OrdinalIgnoreCase));
        return Like(".gguf") is { } gguf ? $"{Printable.Quote(gguf)}, which can be named itself"
            : Like(".safetensors") is { } shard ? $"{Printable.Quote(shard)} and no index"
            : (Like(".bin") ?? Like(".pt") ?? Like(".pth")) is { } pickle
                ? $"{Printable.Quote(pickle)}, which is a program rather than data"
            : names.Length == 0 ? "nothing in it" : "files of other kinds";
    }
}
