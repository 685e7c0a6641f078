namespace Kvasir.KvCache.Tiers.Disk;

/// <summary>Folders for their owner only: keys and values are the conversation.</summary>
public static class PrivateFolder
{
    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Makes sure that a folder is there, or may be made.</summary>
    /// <exception cref="IOException">A file stands in its place, or in that of one above it; the message names the file.</exception>
    public static void Check(string path)
    {
        for (string? part = Path.GetFullPath(path); part is not null; part = Path.GetDirectoryName(part))
            if (File.Exists(part))
                throw new IOException($"{part}: a file, expected a directory");
    }

    /// <summary>Makes a folder, and those above it that are missing.</summary>
    /// <exception cref="IOException">It cannot be made; the message names it.</exception>
    public static void Create(string path)
    {
        if (Directory.Exists(path))
            return;
        Check(path);
        if (Path.GetDirectoryName(Path.GetFullPath(path)) is { } parent)
            Create(parent); // one by one: the system's call would give those in between a mode of its own
        try
        {
            if (OperatingSystem.IsWindows())
                Directory.CreateDirectory(path);
            else
                Directory.CreateDirectory(path, OwnerOnly);
        }
        catch (UnauthorizedAccessException e)
        {
            throw new IOException($"{path}: cannot be made: {e.Message}", e);
        }
    }

    /// <summary>What speaks against keeping a conversation in a folder, in one line; null when nothing does.</summary>
    internal static string? Objection(string path) =>
        !OperatingSystem.IsWindows() && FileFacts.Of($"{path}/.") is { OthersMayWrite: true } facts
            ? $"{path}: everybody may write there (mode {Convert.ToString((int)facts.Permissions, 8)}), expected 700: others could take the "
                + "files away or put their own in their place"
            : null;
}
