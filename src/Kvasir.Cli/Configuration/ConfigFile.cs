using System.CommandLine;
using System.Text;
using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Cli.Configuration;

/// <summary>
/// The user's file: an object of settings, named as their flags are, and of sections that hold for one verb, as in
/// <c>{"threads": 4, "serve": {"port": 9000}}</c>. All of it is checked whatever the verb: what is wrong
/// there would go unnoticed otherwise.
/// </summary>
sealed class ConfigFile
{
    static readonly JsonDocumentOptions s_json = new()
    {
        AllowTrailingCommas = true, CommentHandling = JsonCommentHandling.Skip, AllowDuplicateProperties = false,
    };

    static readonly UTF8Encoding s_strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    readonly JsonElement _root;

    ConfigFile(string? path, JsonElement root) => (Path, _root) = (path, root);

    /// <summary>Whether there is anything where the user's file would be.</summary>
    public static bool IsThere => Find() is { } path && (File.Exists(path) || Directory.Exists(path));

    /// <summary>Where it is, or would be; null for a user without a home.</summary>
    public string? Path { get; }

    /// <summary>Whether it is there.</summary>
    public bool Exists => _root.ValueKind != JsonValueKind.Undefined;

    /// <summary>Reads and checks the user's file; one that is not there says nothing.</summary>
    /// <exception cref="UsageException">It cannot be read, or something in it makes no sense. The message names
    /// the file and the key.</exception>
    public static ConfigFile Read(Command root) => Read(root, Find());

    /// <summary>The same for a file anywhere.</summary>
    internal static ConfigFile Read(Command root, string? path)
    {
        if (!File.Exists(path) && !Directory.Exists(path))
            return new ConfigFile(path, default);
        var file = new ConfigFile(path, Parse(path));
        file.Check(file._root, root, "");
        return file;
    }

    /// <summary>Says so if the file holds a secret and others can read it.</summary>
    public void WarnOfReaders(Command root)
    {
        if (Exists && HoldsSecret(root))
            WarnOfReaders(Path!, "holds a secret");
    }

    /// <summary>Says that others can read a file, if they can.</summary>
    /// <param name="path">A file that is there.</param>
    /// <param name="why">Why they should not.</param>
    public static void WarnOfReaders(string path, string why)
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        if (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(path) & others) != 0)
            Terminal.Line($"warning: {Printable.Line(path, 4096)} {why} and others can read it: `chmod 600` keeps it");
    }

    /// <summary>What the file says of a setting: the section of the verb, of the verb before it, or the file as a whole.</summary>
    /// <param name="verb">Names of the verb from the first down.</param>
    /// <param name="setting">The setting.</param>
    public SettingValue? Find(IReadOnlyList<string> verb, ISetting setting)
    {
        SettingValue? found = null;
        JsonElement section = _root;
        for (int depth = 0; section.ValueKind == JsonValueKind.Object; depth++)
        {
            if (section.TryGetProperty(setting.Key, out JsonElement value))
                found = JsonSetting.Read(Place(string.Join('.', [.. verb.Take(depth), setting.Key])), setting, value);
            if (depth == verb.Count || !section.TryGetProperty(verb[depth], out section))
                break;
        }
        return found;
    }

    /// <summary><c>$XDG_CONFIG_HOME/kvasir/config.json</c>, or the system's usual place.</summary>
    static string? Find()
    {
        string? parent = Environment.GetEnvironmentVariable("XDG_CONFIG_HOME");
        if (!System.IO.Path.IsPathFullyQualified(parent ?? "")) // the specification says to ignore relative paths
            parent = OperatingSystem.IsWindows()
                ? Environment.GetFolderPath(Environment.SpecialFolder.ApplicationData)
                : Environment.GetFolderPath(Environment.SpecialFolder.UserProfile) is { Length: > 0 } home ? System.IO.Path.Combine(home,
                    ".config") : "";
        return string.IsNullOrEmpty(parent) ? null : System.IO.Path.Combine(parent, "kvasir", "config.json");
    }

    static JsonElement Parse(string path)
    {
        string name = Printable.Line(path, 4096);
        try
        {
            using JsonDocument document = JsonDocument.Parse(Text(path), s_json);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new UsageException($"{name}: saw {JsonSetting.Kind(document.RootElement)}, expected an object of settings");
        }
        catch (JsonException e)
        {
            string message = e.Message.Split(" LineNumber:")[0].TrimEnd('.');
            throw new UsageException(
                $"{name}{(e.LineNumber is { } line ? $":{line + 1}" : "")}: no valid JSON: {Printable.Line(message, 400)}");
        }
        catch (DecoderFallbackException e)
        {
            throw new UsageException($"{name}: byte 0x{e.BytesUnknown?[0]:x2} at offset {e.Index:N0} is no UTF-8, expected text in UTF-8");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UsageException($"{name}: {Printable.Line(e.Message, 4096)}");
        }
    }

    static string Text(string path)
    {
        if (Directory.Exists(path))
            throw new IOException("a directory, expected a text file");
        byte[] bytes = File.ReadAllBytes(path);
        int mark = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? Encoding.UTF8.Preamble.Length : 0;
        return s_strict.GetString(bytes.AsSpan(mark));
    }

    void Check(JsonElement section, Command verb, string before)
    {
        foreach (JsonProperty entry in section.EnumerateObject())
            if (verb.Subcommands.FirstOrDefault(below => below.Name == entry.Name) is { } below)
                Check(Section(entry, before), below, $"{before}{entry.Name}.");
            else
                CheckSetting(entry, verb, before);
    }

    JsonElement Section(JsonProperty entry, string before) => entry.Value.ValueKind == JsonValueKind.Object
        ? entry.Value
        : throw new UsageException(
            $"{Place(before + entry.Name)}: saw {JsonSetting.Kind(entry.Value)}, expected an object of settings for this verb");

    void CheckSetting(JsonProperty entry, Command verb, string before)
    {
        ISetting[] settings = [.. Settings.Below(verb).Where(setting => setting.Key == entry.Name)];
        if (settings.Length == 0)
            throw new UsageException(
                $"{Place(before + entry.Name)}: no such setting{(before.Length > 0 ? " of this verb" : "")}, {Meant(entry.Name, verb)}");
        foreach (ISetting setting in settings)
            setting.Check(JsonSetting.Read(Place(before + entry.Name), setting, entry.Value));
    }

    static string Meant(string key, Command verb)
    {
        string[] known = [.. Settings.Below(verb).Select(setting => setting.Key).Distinct()];
        return Spelling.Near(key, known, most: 4).FirstOrDefault() is { } near
            ? $"expected perhaps '{near}'"
            : $"expected one of those that `kvasir config --help` lists";
    }

    string Place(string key) => $"{Printable.Line(Path!, 4096)}: {Printable.Quote(key)}";

    bool HoldsSecret(Command root)
    {
        HashSet<string> keys = [.. Settings.Below(root).Where(setting => setting.IsSecret).Select(setting => setting.Key)];
        return HoldsIn(_root);

        bool HoldsIn(JsonElement section) => section.EnumerateObject().Any(entry =>
            keys.Contains(entry.Name) || entry.Value.ValueKind == JsonValueKind.Object && HoldsIn(entry.Value));
    }
}
