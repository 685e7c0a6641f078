namespace Kvasir.Inference.Measurement.Limits;

/// <summary>The folder for what can be computed again: <c>$XDG_CACHE_HOME/kvasir</c>, or the system's usual place.</summary>
public static class CacheFolder
{
    /// <summary>Its path, or null for a user without a home. It need not exist.</summary>
    public static string? Find()
    {
        string? parent = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (!Path.IsPathFullyQualified(parent ?? "")) // the specification says to ignore relative paths
            parent = Usual();
        return parent is null ? null : Path.Combine(parent, "kvasir");
    }

    static string? Usual()
    {
        string folder = Environment.GetFolderPath(
            OperatingSystem.IsWindows() ? Environment.SpecialFolder.LocalApplicationData : Environment.SpecialFolder.UserProfile);
        return folder.Length == 0 ? null : OperatingSystem.IsWindows() ? folder : Path.Combine(folder, ".cache");
    }
}
