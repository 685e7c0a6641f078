using Kvasir.Cli.Stores;
using Kvasir.Formats;

namespace Kvasir.Cli.Pull;

/// <summary>
/// Puts files of a repository into the hub's cache, where other clients find them, too: blobs by their hash, snapshots that link to them. A
/// file is there under its name only when it is whole and proven; folders that are links, which could lead elsewhere, are not entered.
/// </summary>
sealed class HubCacheWriter(HubCache cache, string repository, string commit, bool usesLinks)
{
    static readonly TimeSpan s_pace = TimeSpan.FromMilliseconds(100);

    readonly string _folder = cache.Folder(repository);

    string Snapshots => Path.Combine(_folder, "snapshots");

    /// <summary>The folder of the commit.</summary>
    public string Snapshot => Path.Combine(Snapshots, commit);

    /// <summary>Whether a file of the commit is there, whole: its name leads to a blob of its hash, or to the file itself.</summary>
    public bool Has(HubFile file)
    {
        FileInfo entry = new(EntryOf(file));
        if (entry.LinkTarget is not { } target)
            return entry.Exists && entry.Length == file.Size;
        string full = Path.GetFullPath(target, Path.GetDirectoryName(entry.FullName)!);
        return full == Path.GetFullPath(BlobOf(file)) && HasBlob(file);
    }

    /// <summary>Whether a blob is there. Its name is its hash, and it was given that when it had been checked.</summary>
    public bool HasBlob(HubFile file) => new FileInfo(BlobOf(file)) is { Exists: true, LinkTarget: null } blob && blob.Length == file.Size;

    /// <summary>Makes the folders, and sees that they are such.</summary>
    public void Prepare()
    {
        Directory.CreateDirectory(cache.Root);
        foreach (string folder in (string[])[_folder, Path.Combine(_folder, "blobs"), Snapshots, Snapshot, Path.Combine(_folder, "refs")])
            MakeFolder(folder);
        MakeFolder(Path.Combine(cache.Root, ".locks"));
        MakeFolder(Path.GetDirectoryName(LockOf(""))!);
    }

    /// <summary>Bytes that are left on the disk; all where nobody can tell.</summary>
    public long Room()
    {
        try
        {
            return new DriveInfo(_folder).AvailableFreeSpace;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            return long.MaxValue; // the disk says so itself when it is full
        }
    }

    /// <summary>What is there of a blob that broke off.</summary>
    public long Begun(HubFile file) => new FileInfo(IncompleteOf(file)) is { Exists: true } begun ? begun.Length : 0;

    /// <summary>Holds a blob for one process, as other clients do. Whoever waits finds it, or goes on with it.</summary>
    public async Task<IDisposable> Lock(HubFile file, Action waiting, CancellationToken cancellation)
    {
        while (true)
            try
            {
                return new FileStream(LockOf(file.Hash), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (IOException e) when (IsTaken(e))
            {
                waiting();
                await Task.Delay(s_pace, cancellation).ConfigureAwait(false);
            }
    }

    /// <summary>The file that a blob is written to, until it is one.</summary>
    public FileStream OpenIncomplete(HubFile file)
    {
        FileInfo path = new(IncompleteOf(file));
        if (path.LinkTarget is not null)
            path.Delete();
        FileStream stream = new(path.FullName, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.Read, bufferSize: 1);
        stream.Position = stream.Length;
        return stream;
    }

    public void DropIncomplete(HubFile file) => File.Delete(IncompleteOf(file));

    /// <summary>Makes what was written a blob.</summary>
    public void Complete(HubFile file) => File.Move(IncompleteOf(file), BlobOf(file), overwrite: true);

    /// <summary>Gives a blob its name in the snapshot.</summary>
    public void Link(HubFile file)
    {
        string entry = EntryOf(file), folder = Snapshot;
        foreach (string part in file.Path.Split('/')[..^1])
            MakeFolder(folder = Path.Combine(folder, part));
        if (!usesLinks || !TryLink(entry, BlobOf(file)))
            File.Move(BlobOf(file), entry, overwrite: true);
    }

    /// <summary>Says what a branch or tag stands for, for those who ask by its name. A commit stands for itself.</summary>
    public void WriteRef(string revision)
    {
        if (HubCache.IsCommit(revision))
            return;
        string folder = Path.Combine(_folder, "refs");
        foreach (string part in revision.Split('/')[..^1])
            MakeFolder(folder = Path.Combine(folder, part));
        string path = Path.Combine(_folder, "refs", revision), temporary = $"{path}.{Guid.NewGuid():n}"[..(path.Length + 9)];
        File.WriteAllText(temporary, commit);
        File.Move(temporary, path, overwrite: true);
    }

    /// <summary>A relative link, so that the cache may be moved; false where there are none.</summary>
    static bool TryLink(string entry, string blob)
    {
        string temporary = $"{entry}.{Guid.NewGuid():n}"[..(entry.Length + 9)];
        try
        {
            File.CreateSymbolicLink(temporary, Path.GetRelativePath(Path.GetDirectoryName(entry)!, blob));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return false; // Windows asks for a right that few have, and some file systems know no links
        }
        File.Move(temporary, entry, overwrite: true);
        return true;
    }

    static void MakeFolder(string path)
    {
        DirectoryInfo folder = Directory.CreateDirectory(path);
        if (folder.LinkTarget is { } target)
            throw new HubException($"{Printable.Line(path, 4096)}: a link to {Printable.Quote(target)}, expected a folder of the cache");
    }

    // Another process holds it: EAGAIN on Linux and on macOS, and a sharing violation on Windows.
    static bool IsTaken(IOException e) => e.HResult is 11 or 35 or unchecked((int)0x80070020);

    string EntryOf(HubFile file) => Path.Combine(Snapshot, file.Path);

    string BlobOf(HubFile file) => Path.Combine(_folder, "blobs", file.Hash);

    string IncompleteOf(HubFile file) => BlobOf(file) + ".kvasir.incomplete";

    string LockOf(string hash) => Path.Combine(cache.Root, ".locks", Path.GetFileName(_folder), hash + ".lock");
}
