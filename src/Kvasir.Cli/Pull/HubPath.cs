using System.Buffers;
using System.Text.RegularExpressions;
using Kvasir.Formats;

namespace Kvasir.Cli.Pull;

/// <summary>Paths of a repository become paths of this machine, and must not lead out of the folder that they are put into.</summary>
static partial class HubPath
{
    const int MostLetters = 1024;

    static readonly SearchValues<char> s_special = SearchValues.Create("\\:*?\"<>|");

    /// <summary>The path, if it is one of files in folders.</summary>
    /// <exception cref="HubException">It is something else.</exception>
    public static string Checked(string path, string repository) => IsPlain(path)
        ? path
        : throw new HubException($"{repository}: a file of the name {Printable.Quote(path)}, expected one within the repository");

    /// <summary>Whether a path names a file within a folder, on every system.</summary>
    public static bool IsPlain(string path) => path.Length is > 0 and <= MostLetters
        && !path.AsSpan().ContainsAny(s_special) && !path.Any(char.IsControl) && path.Split('/').All(IsName);

    static bool IsName(string name) =>
        name.Length > 0 && name is not ("." or "..") && name[^1] is not ('.' or ' ') && !Device().IsMatch(name);

    /// <summary>Names that mean a device on Windows, with whatever end.</summary>
    [GeneratedRegex(@"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\.|\z)",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex Device();
}
