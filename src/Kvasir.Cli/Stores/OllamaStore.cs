using System.Text.Json;
using System.Text.RegularExpressions;
using Kvasir.Formats;

namespace Kvasir.Cli.Stores;

/// <summary>
/// What Ollama has downloaded: <c>manifests/REGISTRY/NAMESPACE/NAME/TAG</c> lists layers, <c>blobs/sha256-HEX</c> are their bytes, of which
/// one is a GGUF file. Nothing is written here.
/// </summary>
sealed partial class OllamaStore(string root)
{
    public const string Scheme = "ollama:";

    const string Registry = "registry.ollama.ai", Library = "library", Latest = "latest", Kind = "application/vnd.ollama.image.";
    const int MostBytes = 1 << 20;

    string Manifests => Path.Combine(root, "manifests");

    /// <summary>The names of all models, as <c>ollama list</c> has them.</summary>
    public IEnumerable<string> Names() => Directory.Exists(Manifests)
        ? Directory.EnumerateFiles(Manifests, "*", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(Manifests, path).Replace('\\', '/').Split('/'))
            .Where(parts => parts.Length == 4).Select(NameOf).Order(StringComparer.Ordinal)
        : [];

    /// <summary>The model of a name, or null where there is none.</summary>
    /// <param name="name"><c>NAME[:TAG]</c>, with a namespace and a registry in front where it is from elsewhere.</param>
    /// <exception cref="ModelFormatException">It is damaged, or needs what is not computed; one line says where and what.</exception>
    public OllamaModel? Find(string name)
    {
        if (ManifestOf(name) is not { } manifest || !File.Exists(manifest))
            return null;
        using JsonDocument json = ReadJson(manifest);
        string? model = null, system = null;
        JsonElement parameters = default;
        List<string> unused = [];
        foreach ((string kind, string blob) in Layers(json.RootElement, manifest))
            switch (kind)
            {
                case "model": model = blob; break;
                case "system": system = ReadText(blob); break;
                case "params": parameters = Parameters(blob); break;
                case "adapter" or "projector" or "image.tensor" or "tensor":
                    throw ModelFormatException.At(manifest, "layers", Kind + kind, $"a model in one GGUF file ({Kind}model) alone");
                case "template" or "license" or "messages": unused.Add(kind); break;
                default: unused.Add(Printable.Line(kind)); break;
            }
        return new OllamaModel(
            model ?? throw ModelFormatException.At(manifest, "layers", $"no {Kind}model", "one"), system, parameters, unused);
    }

    static IEnumerable<(string Kind, string Digest)> Entries(JsonElement manifest, string path)
    {
        if (manifest.ValueKind != JsonValueKind.Object || !manifest.TryGetProperty("layers", out JsonElement layers)
            || layers.ValueKind != JsonValueKind.Array)
            throw ModelFormatException.At(path, "layers", "no array", "the layers of a model");
        foreach (JsonElement layer in layers.EnumerateArray())
            yield return (Text(layer, "mediaType", path), Text(layer, "digest", path));
    }

    IEnumerable<(string Kind, string Blob)> Layers(JsonElement manifest, string path)
    {
        foreach ((string kind, string digest) in Entries(manifest, path))
        {
            if (!Digest().IsMatch(digest))
                throw ModelFormatException.At(path, "digest", Printable.Quote(digest), "sha256: and 64 digits");
            string blob = Path.Combine(root, "blobs", digest.Replace(':', '-'));
            if (!File.Exists(blob))
                throw ModelFormatException.At(blob, "file", "it does not exist", $"the layer that {Printable.Line(path, 4096)} names");
            yield return (kind.StartsWith(Kind, StringComparison.Ordinal) ? kind[Kind.Length..] : kind, blob);
        }
    }

    static string Text(JsonElement layer, string field, string path) =>
        layer.ValueKind == JsonValueKind.Object && layer.TryGetProperty(field, out JsonElement value)
            && value.ValueKind == JsonValueKind.String
            ? value.GetString()!
            : throw ModelFormatException.At(path, $"layers.{field}", "no text", "one in each layer");

    static JsonElement Parameters(string path)
    {
        using JsonDocument json = ReadJson(path);
        return json.RootElement.ValueKind == JsonValueKind.Object
            ? json.RootElement.Clone()
            : throw ModelFormatException.At(path, "parameters", $"{json.RootElement.ValueKind}", "a JSON object");
    }

    static JsonDocument ReadJson(string path)
    {
        try
        {
            return JsonDocument.Parse(ReadText(path));
        }
        catch (JsonException e)
        {
            throw new ModelFormatException($"{Printable.Line(path, 4096)}: no valid JSON: {Printable.Line(e.Message, 512)}", e);
        }
    }

    static string ReadText(string path) => new FileInfo(path) is { Length: <= MostBytes }
        ? File.ReadAllText(path)
        : throw ModelFormatException.At(path, "file", $"more than {MostBytes} bytes", "a small text");

    string? ManifestOf(string name)
    {
        if (Name().Match(name) is not { Success: true } match || name.Contains("..", StringComparison.Ordinal))
            return null;
        string Part(string group, string otherwise) => match.Groups[group] is { Success: true, Value: var given } ? given : otherwise;
        return Path.Combine(
            Manifests, Part("registry", Registry), Part("namespace", Library), match.Groups["name"].Value, Part("tag", Latest));
    }

    static string NameOf(string[] parts) => parts switch
    {
        [Registry, Library, var name, var tag] => $"{name}:{tag}",
        [Registry, var space, var name, var tag] => $"{space}/{name}:{tag}",
        _ => $"{string.Join('/', parts[..3])}:{parts[3]}",
    };

    [GeneratedRegex(@"^(?:(?:(?<registry>[\w.-]+)/)?(?<namespace>[\w.-]+)/)?(?<name>[\w.-]+)(?::(?<tag>[\w.-]+))?\z")]
    private static partial Regex Name();

    [GeneratedRegex(@"^sha256:[0-9a-f]{64}\z")]
    private static partial Regex Digest();
}
