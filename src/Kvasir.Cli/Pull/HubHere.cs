using System.Text.Json;
using Kvasir.Cli.Stores;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;

namespace Kvasir.Cli.Pull;

/// <summary>A model that is here already, found without asking anybody: by what lies in the caches.</summary>
static class HubHere
{
    /// <param name="name">The model.</param>
    /// <param name="caches">Where to look; the first that has the revision counts.</param>
    /// <param name="revision">A branch, tag or commit.</param>
    /// <param name="patterns">What is wanted of it; empty for what a model needs.</param>
    /// <exception cref="HubException">It is not here, or not whole; one line says what is missing.</exception>
    public static PullResult Find(HubName name, IReadOnlyList<HubCache> caches, string revision, IReadOnlyList<string> patterns)
    {
        if (!HubPath.IsPlain(revision))
            throw new HubException($"{name}: a revision {Printable.Quote(revision)}, expected a branch, a tag or a commit");
        string snapshot = caches.Select(cache => SnapshotOf(cache, name.Repository, revision)).OfType<string>().FirstOrDefault()
            ?? throw new HubException($"{name}: nothing of revision {Printable.Line(revision)} is here, in "
                + $"{string.Join(" or ", caches.Select(cache => Printable.Line(cache.Root, 4096)))}, and nobody is asked while offline");
        HubFile[] files = [.. HubCache.Paths(snapshot).Select(path => FileOf(snapshot, path)).OfType<HubFile>()];
        if (patterns.Count == 0 && Missing(name, snapshot, files) is { Count: > 0 } missing)
            throw new HubException($"{name}: not whole, and nobody is asked while offline; missing in {Printable.Line(snapshot, 4096)}: "
                + string.Join(", ", missing.Take(8).Select(path => Printable.Line(path, 256)))
                + (missing.Count > 8 ? $" and {missing.Count - 8} more" : ""));
        (IReadOnlyList<HubFile> chosen, string? gguf) = HubSelection.Choose(name, files, patterns);
        return new PullResult(gguf is null ? snapshot : Path.Combine(snapshot, gguf), Path.GetFileName(snapshot), chosen, Fetched: 0);
    }

    static string? SnapshotOf(HubCache cache, string repository, string revision) => cache.Snapshot(repository, revision)
        ?? (HubCache.IsCommit(revision) && Path.Combine(cache.Folder(repository), "snapshots", revision) is var path
            && Directory.Exists(path) ? path : null);

    /// <summary>A link leads to a blob, whose name is the hash of its bytes; null where that is gone.</summary>
    static HubFile? FileOf(string snapshot, string path)
    {
        FileInfo file = new(Path.Combine(snapshot, path));
        bool isBlob = file.LinkTarget is not null;
        return (file.ResolveLinkTarget(returnFinalTarget: true) ?? file) is FileInfo { Exists: true } target
            ? new HubFile(path, target.Length, isBlob ? target.Name : "", isBlob && target.Name.Length == 64)
            : null;
    }

    /// <summary>Files without which the model cannot be opened.</summary>
    static List<string> Missing(HubName name, string snapshot, IReadOnlyList<HubFile> files)
    {
        HashSet<string> here = [.. files.Select(file => file.Path)];
        IEnumerable<string> needed = GgufChoice.Find(here, name.Type) is { } gguf ? GgufShards.PathsOf(gguf)
            : name.Type is { } type ? [$"a GGUF file of type {type}"]
            : ["config.json", "tokenizer.json", .. Weights(snapshot, here)];
        return [.. needed.Where(path => !here.Contains(path))];
    }

    static IEnumerable<string> Weights(string snapshot, HashSet<string> here)
    {
        if (!here.Contains(HubSelection.Index))
            return [HubSelection.Single];
        string index = Path.Combine(snapshot, HubSelection.Index);
        try
        {
            using JsonDocument json = JsonDocument.Parse(File.ReadAllBytes(index));
            return [.. json.RootElement.GetProperty("weight_map").EnumerateObject().Select(tensor => tensor.Value.GetString() ?? "")
                .Distinct().Order(StringComparer.Ordinal)];
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            throw new HubException($"{Printable.Line(index, 4096)}: no weight_map of tensors and their files can be read in it", e);
        }
    }
}
