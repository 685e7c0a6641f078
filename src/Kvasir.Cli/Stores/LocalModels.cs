using System.Diagnostics.CodeAnalysis;
using Kvasir.Formats;

namespace Kvasir.Cli.Stores;

/// <summary>A model on this machine.</summary>
/// <param name="Name">What it is named by; its path where no name leads to it.</param>
/// <param name="Path">What is opened; null if nothing can be.</param>
/// <param name="Store">Whose it is.</param>
/// <param name="Reason">Why nothing can be opened.</param>
sealed record LocalModel(string Name, string? Path, string Store, string? Reason = null);

/// <summary>The models on this machine by the names that people have for them. Nothing is asked over the network.</summary>
sealed class LocalModels(ModelPlaces places)
{
    const string Hub = "hub";

    public OllamaStore Ollama { get; } = new(places.Ollama);

    public IEnumerable<HubCache> HubCaches => places.HubCaches.Select(root => new HubCache(root));

    /// <summary>The path of a model of a name; null if that is no name of a model.</summary>
    /// <exception cref="ModelFormatException">There is none of that name here, or it cannot run; one line says what to do.</exception>
    public string? Find(string name) => FindIfHere(name) ?? (IsOfHub(name, out _)
        ? throw new ModelFormatException($"{name}: not on this machine, neither as a path nor as a model of Hugging Face's hub; "
            + $"`kvasir pull {name}` fetches it")
        : null);

    /// <summary>The same, and null for a name of the hub that is not here.</summary>
    public string? FindIfHere(string name) => name.StartsWith(OllamaStore.Scheme, StringComparison.Ordinal)
        ? Ollama.Find(name[OllamaStore.Scheme.Length..])?.Path ?? throw NotInOllama(name)
        : IsOfHub(name, out HubName? hub) ? HubCaches.Select(cache => In(cache, hub)).OfType<string>().FirstOrDefault() : null;

    /// <summary>Whether it is a name rather than a path to a file that is missing.</summary>
    static bool IsOfHub(string name, [NotNullWhen(true)] out HubName? hub) =>
        HubName.TryParse(name, out hub) && !name.EndsWith(".gguf", StringComparison.OrdinalIgnoreCase);

    /// <summary>All of them, each once.</summary>
    public IEnumerable<LocalModel> All() => HubCaches
        .SelectMany(cache => cache.Repositories().SelectMany(repository => Guarded(repository, Hub, () => In(cache, repository))))
        .Concat(Ollama.Names().Select(name => OllamaStore.Scheme + name).SelectMany(name => Guarded(name, "ollama", () => InOllama(name))))
        .Concat(places.Folders.SelectMany(In))
        .DistinctBy(model => model.Path ?? model.Name);

    static LocalModel[] In(HubCache cache, string repository)
    {
        if (cache.Snapshot(repository) is not { } snapshot)
            return [new LocalModel(repository, null, Hub,
                $"nothing whole of its branch {HubCache.MainBranch}; `kvasir pull {Printable.Line(repository, 256)}` fetches that")];
        IReadOnlyList<string> paths = HubCache.Paths(snapshot);
        LocalModel Gguf(string path, string full) =>
            new(GgufChoice.TypeOf(path, paths) is { } type ? $"{repository}:{type}" : full, full, Hub);
        LocalModel[] models = [.. GgufChoice.Models(paths).Select(path => Gguf(path, Path.Combine(snapshot, path)))];
        return models.Length > 0 ? models
            : paths.Any(path => path is "config.json" || path.EndsWith(".safetensors", StringComparison.Ordinal))
            ? [new LocalModel(repository, snapshot, Hub)]
            : [];
    }

    LocalModel[] InOllama(string name) => [new LocalModel(name, Find(name), "ollama")];

    /// <summary>What there is of a name: what is wrong with it, if nothing else.</summary>
    static LocalModel[] Guarded(string name, string store, Func<LocalModel[]> look)
    {
        try
        {
            return look();
        }
        catch (Exception e) when (e is ModelFormatException or IOException or UnauthorizedAccessException)
        {
            return [new LocalModel(name, null, store, e.Message)];
        }
    }

    static IEnumerable<LocalModel> In(string folder)
    {
        string store = folder.Contains("llama.cpp", StringComparison.Ordinal) ? "llama.cpp" : "lm studio";
        string[] paths = Directory.Exists(folder)
            ? Directory.GetFiles(folder, "*.gguf", new EnumerationOptions { RecurseSubdirectories = true, IgnoreInaccessible = true }) : [];
        return GgufChoice.Models(paths).Select(path => new LocalModel(path, path, store));
    }

    /// <summary>The path of a model in a cache: a GGUF file, or a folder. Null where there is none.</summary>
    static string? In(HubCache cache, HubName name)
    {
        if (cache.Snapshot(name.Repository) is not { } snapshot)
            return null;
        IReadOnlyList<string> paths = HubCache.Paths(snapshot);
        return GgufChoice.Find(paths, name.Type) is { } gguf ? Path.Combine(snapshot, gguf)
            : name.Type is null && paths.Any(path => path.EndsWith(".safetensors", StringComparison.Ordinal)) ? snapshot : null;
    }

    ModelFormatException NotInOllama(string name) => new($"{Printable.Line(name, 256)}: Ollama has no such model in "
        + $"{Printable.Line(places.Ollama, 4096)}; `ollama pull {Printable.Line(name[OllamaStore.Scheme.Length..], 256)}` fetches it"
        + (string.Join(", ", Ollama.Names().Take(8).Select(each => Printable.Line(each))) is { Length: > 0 } there
            ? $", and there is {there}" : ""));
}
