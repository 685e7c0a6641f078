using System.IO.Enumeration;
using Kvasir.Cli.Stores;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Cli.Pull;

/// <summary>Which of a repository's files make a model.</summary>
static class HubSelection
{
    public const string Single = "model.safetensors", Index = Single + ".index.json";

    static readonly string[] s_beside =
    [
        Index, "config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
        "chat_template.jinja", "chat_template.json", "tokenizer.model",
    ];

    /// <summary>What can run when it is read.</summary>
    static readonly string[] s_programs = [".bin", ".pt", ".pth", ".pkl", ".ckpt", ".py"];

    /// <summary>The files to fetch: of a GGUF model its parts, else those of a folder with safetensors.</summary>
    /// <param name="name">The model.</param>
    /// <param name="files">All files.</param>
    /// <param name="patterns">What is wanted in place of that, with <c>*</c> and <c>?</c>.</param>
    /// <returns>The files, and the path that is opened of a GGUF model; the folder, if null.</returns>
    public static (IReadOnlyList<HubFile> Files, string? Gguf) Choose(
        HubName name, IReadOnlyList<HubFile> files, IReadOnlyList<string> patterns)
    {
        Dictionary<string, HubFile> byPath = files.DistinctBy(file => file.Path).ToDictionary(file => file.Path, StringComparer.Ordinal);
        if (patterns.Count > 0)
            return (Matching(name, files, patterns), null);
        if (GgufChoice.Find(byPath.Keys, name.Type) is { } gguf)
            return ([.. GgufShards.PathsOf(gguf).Select(path => byPath.GetValueOrDefault(path)
                ?? throw new HubException($"{name}: {Printable.Line(path, 1024)} is missing there"))], gguf);
        if (name.Type is not null || !(byPath.ContainsKey(Single) || byPath.ContainsKey(Index)))
            throw Nothing(name, byPath.Keys);
        bool IsWeights(string path) => byPath.ContainsKey(Index) ? IsShard(path) : path == Single;
        return ([.. files.Where(file => s_beside.Contains(file.Path) || IsWeights(file.Path)).OrderBy(file => file.Size)], null);
    }

    /// <summary>Not those of <c>consolidated.safetensors</c>, which are the same weights by other names.</summary>
    static bool IsShard(string path) => path.StartsWith("model", StringComparison.Ordinal)
        && path.EndsWith(".safetensors", StringComparison.Ordinal) && !path.Contains('/', StringComparison.Ordinal);

    static HubFile[] Matching(HubName name, IReadOnlyList<HubFile> files, IReadOnlyList<string> patterns)
    {
        bool IsLike(string pattern, HubFile file) => FileSystemName.MatchesSimpleExpression(pattern, file.Path, ignoreCase: false);
        HubFile[] matching = [.. files.Where(file => patterns.Any(pattern => IsLike(pattern, file)))];
        if (Array.Find(matching, file => s_programs.Contains(Path.GetExtension(file.Path).ToLowerInvariant())) is { } program)
            throw new HubException($"{name}: {Printable.Line(program.Path, 1024)} is a program rather than data, and is not fetched");
        return matching.Length > 0
            ? matching
            : throw new HubException($"{name}: no file is like {string.Join(" or ", patterns.Select(Printable.Quote))}");
    }

    static HubException Nothing(HubName name, IEnumerable<string> paths)
    {
        string[] types = [.. GgufChoice.Models(paths).Select(path => GgufChoice.TypeOf(path, paths) ?? path)];
        return new HubException(types.Length > 0
            ? $"{name}: no GGUF file of that type; there is {string.Join(", ", types.Take(30).Select(type => Printable.Line(type)))}"
            : $"{name}: no GGUF file{(name.Type is null ? $" and no {Single}" : "")} in it, which is what a model is read from");
    }
}
