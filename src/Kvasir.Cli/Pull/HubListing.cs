using System.Text.Json;
using System.Text.RegularExpressions;
using Kvasir.Cli.Stores;
using Kvasir.Formats;

namespace Kvasir.Cli.Pull;

/// <summary>What a repository of the hub has. Nothing in it is trusted.</summary>
sealed partial class HubListing(HubClient client, string repository)
{
    const int MostPages = 1000, MostFiles = 100_000;

    /// <summary>The commit of a branch, a tag or a commit.</summary>
    public async Task<string> Commit(string revision, CancellationToken cancellation)
    {
        if (HubCache.IsCommit(revision))
            return revision;
        (JsonDocument json, _) = await client.ReadJson(client.Address($"api/models/{repository}/refs"), cancellation).ConfigureAwait(false);
        using (json)
        {
            (string Name, string Commit)[] refs = [.. ((string[])["branches", "tags"]).SelectMany(kind => Refs(json.RootElement, kind))];
            string? commit = refs.FirstOrDefault(each => each.Name == revision).Commit;
            return commit is null
                ? throw new HubException($"{repository}: no revision {Printable.Quote(revision)}; there is "
                    + string.Join(", ", refs.Take(20).Select(each => Printable.Line(each.Name))))
                : HubCache.IsCommit(commit) ? commit : throw Bad($"a commit {Printable.Quote(commit)}", "40 digits");
        }
    }

    /// <summary>All files of a commit.</summary>
    public async Task<IReadOnlyList<HubFile>> Files(string commit, CancellationToken cancellation)
    {
        List<HubFile> files = [];
        Uri? page = client.Address($"api/models/{repository}/tree/{commit}?recursive=true");
        for (int pages = 0; page is not null; pages++)
        {
            (JsonDocument json, Uri? next) = await client.ReadJson(page, cancellation).ConfigureAwait(false);
            using (json)
                files.AddRange(Files(json.RootElement));
            if (pages == MostPages || files.Count > MostFiles)
                throw Bad($"more than {files.Count} files", $"at most {MostFiles}");
            page = next;
        }
        return files;
    }

    IEnumerable<HubFile> Files(JsonElement page)
    {
        if (page.ValueKind != JsonValueKind.Array)
            throw Bad($"a list of files that is {page.ValueKind}", "an array");
        foreach (JsonElement entry in page.EnumerateArray())
            if (Text(entry, "type") == "file")
                yield return File(entry);
    }

    HubFile File(JsonElement entry)
    {
        string path = HubPath.Checked(Text(entry, "path"), repository);
        bool isLarge = entry.TryGetProperty("lfs", out JsonElement lfs) && lfs.ValueKind == JsonValueKind.Object;
        string hash = Text(isLarge ? lfs : entry, "oid");
        if (!(isLarge ? Sha256() : Sha1()).IsMatch(hash))
            throw Bad($"{path}: a hash {Printable.Quote(hash)}", isLarge ? "64 digits" : "40 digits");
        return (isLarge ? lfs : entry).TryGetProperty("size", out JsonElement size) && size.ValueKind == JsonValueKind.Number
                && size.TryGetInt64(out long bytes) && bytes >= 0
                ? new HubFile(path, bytes, hash, isLarge)
                : throw Bad($"{path}: no size", "a number of bytes");
    }

    static IEnumerable<(string Name, string Commit)> Refs(JsonElement root, string kind) =>
        root.ValueKind == JsonValueKind.Object && root.TryGetProperty(kind, out JsonElement refs) && refs.ValueKind == JsonValueKind.Array
            ? refs.EnumerateArray().Select(each => (Text(each, "name"), Text(each, "targetCommit"))) : [];

    static string Text(JsonElement of, string name) =>
        of.ValueKind == JsonValueKind.Object && of.TryGetProperty(name, out JsonElement value)
            && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    HubException Bad(string seen, string expected) => new($"{repository}: the hub says {seen}, expected {expected}");

    [GeneratedRegex(@"^[0-9a-f]{64}\z")]
    private static partial Regex Sha256();

    [GeneratedRegex(@"^[0-9a-f]{40}\z")]
    private static partial Regex Sha1();
}
