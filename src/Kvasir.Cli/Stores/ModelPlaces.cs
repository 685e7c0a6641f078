namespace Kvasir.Cli.Stores;

/// <summary>Where models lie on this machine: what other programs have downloaded, too, lies where their variables say.</summary>
sealed record ModelPlaces
{
    /// <summary>Caches of Hugging Face's hub, shared with its own client and llama.cpp; into the first is downloaded.</summary>
    public required IReadOnlyList<string> HubCaches { get; init; }

    /// <summary>Ollama's store.</summary>
    public required string Ollama { get; init; }

    /// <summary>Folders of GGUF files: LM Studio's, and those of llama.cpp before it took the hub's layout.</summary>
    public required IReadOnlyList<string> Folders { get; init; }

    /// <summary>The hub's folder, in which its token lies too.</summary>
    public required string HubHome { get; init; }

    public static ModelPlaces OfEnvironment() => Of(
        Environment.GetEnvironmentVariable, Environment.GetFolderPath(Environment.SpecialFolder.UserProfile));

    /// <param name="variable">The environment.</param>
    /// <param name="home">The user's folder.</param>
    public static ModelPlaces Of(Func<string, string?> variable, string home)
    {
        string? Given(string name) => variable(name) is { Length: > 0 } path ? Expand(path, home) : null;
        string caches = Given("XDG_CACHE_HOME") ?? Path.Combine(home, ".cache");
        string hub = Given("HF_HOME") ?? Path.Combine(caches, "huggingface");
        string cache = Given("HF_HUB_CACHE") ?? Given("HUGGINGFACE_HUB_CACHE") ?? Path.Combine(hub, "hub");
        string? llama = Given("LLAMA_CACHE");
        return new ModelPlaces
        {
            HubHome = hub,
            HubCaches = [.. new[] { cache, llama }.OfType<string>().Distinct()],
            Ollama = Given("OLLAMA_MODELS") ?? OllamaOf(Path.Combine(home, ".ollama", "models")),
            Folders =
            [
                Path.Combine(home, ".lmstudio", "models"), Path.Combine(home, ".cache", "lm-studio", "models"),
                llama ?? Path.Combine(OperatingSystem.IsMacOS() ? Path.Combine(home, "Library", "Caches") : caches, "llama.cpp"),
            ],
        };
    }

    /// <summary>The user's own, or on Linux that of the service that Ollama's installer makes.</summary>
    static string OllamaOf(string user)
    {
        const string Service = "/usr/share/ollama/.ollama/models";
        return !Directory.Exists(user) && Directory.Exists(Service) ? Service : user;
    }

    /// <summary>As a shell would read it: the hub's own client takes <c>~</c> in its variables.</summary>
    static string Expand(string path, string home) =>
        path == "~" ? home : path.StartsWith("~/", StringComparison.Ordinal) ? Path.Combine(home, path[2..]) : path;
}
