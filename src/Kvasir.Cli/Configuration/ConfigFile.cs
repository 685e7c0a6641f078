using System.CommandLine;
using System.Text.Json;
using Kvasir.Formats;

namespace Kvasir.Cli.Configuration;

/// <summary>
/// The user's file: an object of settings, named as their flags are, and of sections that hold for one verb, as in
/// <c>{"threads": 4, "serve": {"port": 9000}}</c>. All of it is checked whatever the verb is: what is wrong there would go unnoticed.
/// </summary>
sealed class ConfigFile
{
    const int Slip = 4;

    readonly JsonElement _root;

    ConfigFile(string? path, JsonElement root) => (Path, _root) = (path, root);

    /// <summary>Whether there is anything where the user's file would be.</summary>
    public static bool IsThere => Find() is { } path && (File.Exists(path) || Directory.Exists(path));

    /// <summary>Where it is, or would be; null for a user without a home.</summary>
    public string? Path { get; }

    /// <summary>Whether it is there.</summary>
    public bool Exists => _root.ValueKind != JsonValueKind.Undefined;

    /// <summary>Reads and checks the user's file; one that is not there says nothing.</summary>
    /// <exception cref="UsageException">It cannot be read, or something in it makes no sense. The message names file and key.</exception>
    public static ConfigFile Read(Command root) => Read(root, ConfigText.Path());

    /// <summary>The same for a file anywhere.</summary>
    internal static ConfigFile Read(Command root, string? path)
    {
        if (!File.Exists(path) && !Directory.Exists(path))
            return new ConfigFile(path, default);
        var file = new ConfigFile(path, ConfigText.Read(path));
        file.Check(file._root, root, "");
        return file;
    }

    /// <summary>Says so if the file holds a secret and others can read it.</summary>
    public void WarnOfReaders(Command root)
    {
        const UnixFileMode others = UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        if (!OperatingSystem.IsWindows() && Exists && (File.GetUnixFileMode(Path!) & others) != 0 && HoldsSecret(root))
            Terminal.Line($"warning: {Name} holds a secret and others can read it: `chmod 600` keeps it");
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

    string Name => Printable.Line(Path!, 4096);

    string Place(string key) => $"{Name}: {Printable.Quote(key)}";

    void Check(JsonElement section, Command verb, string before)
    {
        foreach (JsonProperty entry in section.EnumerateObject())
            if (verb.Subcommands.FirstOrDefault(below => below.Name == entry.Name) is { } below)
                Check(Section(entry, before), below, $"{before}{entry.Name}.");
            else
                CheckSetting(entry, verb, before);
    }

    JsonElement Section(JsonProperty entry, string before)
    {
        string seen = JsonSetting.Kind(entry.Value);
        return entry.Value.ValueKind == JsonValueKind.Object
            ? entry.Value
            : throw new UsageException($"{Place(before + entry.Name)}: saw {seen}, expected an object of settings for this verb");
    }

    void CheckSetting(JsonProperty entry, Command verb, string before)
    {
        string place = Place(before + entry.Name);
        ISetting[] settings = [.. Settings.Below(verb).Where(setting => setting.Key == entry.Name)];
        if (settings.Length == 0)
            throw new UsageException($"{place}: no such setting{(before.Length > 0 ? " of this verb" : "")}, {Meant(entry.Name, verb)}");
        foreach (ISetting setting in settings)
            setting.Check(JsonSetting.Read(place, setting, entry.Value));
    }

    static string Meant(string key, Command verb)
    {
        string[] known = [.. Settings.Below(verb).Select(setting => setting.Key).Distinct()];
        return Spelling.Near(key, known, Slip).FirstOrDefault() is { } near
            ? $"expected perhaps '{near}'"
            : "expected one of those that `kvasir config --help` lists";
    }

    bool HoldsSecret(Command root)
    {
        HashSet<string> keys = [.. Settings.Below(root).Where(setting => setting.IsSecret).Select(setting => setting.Key)];
        return HoldsIn(_root);

        bool HoldsIn(JsonElement section) => section.EnumerateObject().Any(entry =>
            keys.Contains(entry.Name) || entry.Value.ValueKind == JsonValueKind.Object && HoldsIn(entry.Value));
    }
}
