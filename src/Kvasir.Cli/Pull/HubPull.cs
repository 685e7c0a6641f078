using System.Net;
using Kvasir.Cli.Stores;
using Kvasir.Formats;

namespace Kvasir.Cli.Pull;

/// <summary>How far a file is.</summary>
/// <param name="File">Which.</param>
/// <param name="Done">Bytes of it that are there.</param>
/// <param name="IsWaiting">Whether another process fetches it.</param>
/// <param name="IsThere">Whether it is whole and proven.</param>
readonly record struct PullProgress(HubFile File, long Done, bool IsWaiting = false, bool IsThere = false);

/// <summary>What has been fetched.</summary>
/// <param name="Path">What a model is opened by.</param>
/// <param name="Commit">Of what it is.</param>
/// <param name="Files">Its files.</param>
/// <param name="Fetched">Bytes that were not here before.</param>
sealed record PullResult(string Path, string Commit, IReadOnlyList<HubFile> Files, long Fetched);

/// <summary>Fetches a model from Hugging Face's hub into its cache.</summary>
sealed class HubPull(HubClient client, HubCache cache, bool usesLinks, IProgress<PullProgress> progress)
{
    /// <summary>Above that the hub hands out parts to put together, by a protocol of its own.</summary>
    const long MostBytes = 50_000_000_000;

    /// <param name="name">The model.</param>
    /// <param name="revision">A branch, tag or commit.</param>
    /// <param name="patterns">What is wanted of it; empty for what a model needs.</param>
    /// <param name="cancellation">Ends it; what has come so far is gone on with the next time.</param>
    /// <exception cref="HubException">It cannot be had; one line says why.</exception>
    public async Task<PullResult> Run(HubName name, string revision, IReadOnlyList<string> patterns, CancellationToken cancellation)
    {
        if (!HubPath.IsPlain(revision))
            throw new HubException($"{name}: a revision {Printable.Quote(revision)}, expected a branch, a tag or a commit");
        HubListing listing = new(client, name.Repository);
        string commit = await listing.Commit(revision, cancellation).ConfigureAwait(false);
        (IReadOnlyList<HubFile> files, string? gguf) = HubSelection.Choose(
            name, await listing.Files(commit, cancellation).ConfigureAwait(false), patterns);
        HubCacheWriter writer = new(cache, name.Repository, commit, usesLinks);
        writer.Prepare();
        CheckRoom(writer, [.. files.Where(file => !writer.Has(file) && !writer.HasBlob(file))]);
        long fetched = 0;
        foreach (HubFile file in files)
            fetched += await Get(name.Repository, commit, writer, file, cancellation).ConfigureAwait(false);
        writer.WriteRef(revision);
        return new PullResult(gguf is null ? writer.Snapshot : Path.Combine(writer.Snapshot, gguf), commit, files, fetched);
    }

    static void CheckRoom(HubCacheWriter writer, IReadOnlyList<HubFile> missing)
    {
        if (missing.FirstOrDefault(file => file.Size > MostBytes) is { } large)
            throw new HubException($"{Printable.Line(large.Path, 1024)}: {ByteSize.Text(large.Size)} in one file, of which the hub "
                + $"hands out no more than {ByteSize.Text(MostBytes)}; a model in parts can be fetched, "
                + "or this one with the hub's own client");
        long needed = missing.Sum(file => file.Size - Math.Min(file.Size, writer.Begun(file))), room = writer.Room();
        if (needed > room)
            throw new HubException(
                $"{Printable.Line(writer.Snapshot, 4096)}: {ByteSize.Text(room)} are free, expected {ByteSize.Text(needed)}");
    }

    /// <summary>Sees that a file is there.</summary>
    /// <returns>The bytes that were fetched.</returns>
    async Task<long> Get(string repository, string commit, HubCacheWriter writer, HubFile file, CancellationToken cancellation)
    {
        long fetched = 0;
        if (!writer.Has(file))
        {
            void TellThatItWaits() => progress.Report(new(file, writer.Begun(file), IsWaiting: true));
            using IDisposable held = await writer.Lock(file, TellThatItWaits, cancellation).ConfigureAwait(false);
            if (!writer.Has(file) && !writer.HasBlob(file)) // whoever held it may have fetched it
                fetched = await Fetch(client.Address($"{repository}/resolve/{commit}/{Escaped(file.Path)}"), writer, file, cancellation)
                    .ConfigureAwait(false);
            if (!writer.Has(file))
                writer.Link(file);
        }
        progress.Report(new(file, file.Size, IsThere: true));
        return fetched;
    }

    /// <summary>
    /// Fetches a blob, and makes it one when it is what the hub said. A beginning that turns out wrong is done without, once.
    /// </summary>
    async Task<long> Fetch(Uri address, HubCacheWriter writer, HubFile file, CancellationToken cancellation)
    {
        long fetched = 0;
        string? wrong = null;
        using (FileStream stream = writer.OpenIncomplete(file))
        {
            bool hasBegun = stream.Length > 0;
            for (int tries = hasBegun ? 2 : 1; tries > 0; tries--)
            {
                fetched += await client.Persist(() => Append(address, stream, file, cancellation), () => stream.Length, cancellation)
                    .ConfigureAwait(false);
                if (await file.HashOf(stream, cancellation).ConfigureAwait(false) is var hash && hash == file.Hash)
                {
                    stream.Flush(flushToDisk: true);
                    wrong = null;
                    break;
                }
                wrong = hash;
                stream.SetLength(0);
            }
        }
        if (wrong is not null)
        {
            writer.DropIncomplete(file);
            throw new HubException(
                $"{Printable.Line(file.Path, 1024)}: what came has the hash {wrong}, expected {file.Hash}; nothing of it is kept");
        }
        writer.Complete(file);
        return fetched;
    }

    /// <summary>Adds what is missing at the end.</summary>
    async Task<long> Append(Uri address, FileStream stream, HubFile file, CancellationToken cancellation)
    {
        if (stream.Length > file.Size)
            stream.SetLength(0);
        stream.Position = stream.Length;
        if (stream.Length == file.Size)
            return 0;
        using HttpResponseMessage response = await client.Send(address, stream.Length, cancellation).ConfigureAwait(false);
        StartWhereItDoes(response, stream, file);
        long from = stream.Length;
        await client.Copy(response, stream, file.Size - from, cancellation, () => progress.Report(new(file, stream.Position)))
            .ConfigureAwait(false);
        return stream.Length == file.Size
            ? file.Size - from
            : throw new HubTroubleException($"{Printable.Line(file.Path, 1024)}: ended at byte {stream.Length} of {file.Size}");
    }

    /// <summary>A host that sends everything, or nothing, begins anew.</summary>
    static void StartWhereItDoes(HttpResponseMessage response, FileStream stream, HubFile file)
    {
        if (response.Content.Headers.ContentEncoding.Count > 0)
            throw new HubException(
                $"{Printable.Line(file.Path, 1024)}: comes as {response.Content.Headers.ContentEncoding}, expected it as it is");
        if (response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == stream.Length)
            return;
        stream.SetLength(0);
        if (response.StatusCode != HttpStatusCode.OK)
            throw new HubTroubleException($"{Printable.Line(file.Path, 1024)}: the host does not go on where it ended");
    }

    static string Escaped(string path) => string.Join('/', path.Split('/').Select(Uri.EscapeDataString));
}
