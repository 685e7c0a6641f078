using System.CommandLine;
using Kvasir.Cli.Configuration;
using Kvasir.Formats;
using Spectre.Console;

namespace Kvasir.Cli.Verbs;

/// <summary>
/// <c>kvasir config</c>: which settings hold, and who says so. Takes every setting as a flag, to see what it would change.
/// </summary>
static class ConfigVerb
{
    /// <summary>Its name.</summary>
    public const string Name = "config";

    static readonly Option<bool> s_json = new("--json") { Description = "Print one JSON object" };

    /// <param name="root">The command, with all other verbs.</param>
    public static Command Create(RootCommand root)
    {
        Command verb = new(Name, "Show the settings that hold and where each comes from: flag, environment, file or default") { s_json };
        foreach (ISetting setting in Settings.Below(root).DistinctBy(setting => setting.Key))
            verb.Options.Add((Option)setting);
        verb.SetAction(parsed => Run(root, parsed));
        return verb;
    }

    static int Run(RootCommand root, ParseResult parsed)
    {
        ConfigFile file = ConfigFile.Read(root);
        Dictionary<string, ISetting> all = Settings.Of(parsed.CommandResult.Command).ToDictionary(setting => setting.Key);
        bool IsOpen(ISetting setting) => all[setting.Key].Read(parsed).Source == SettingSource.Default
            && setting.Default != all[setting.Key].Default;
        ConfigEntry[] settings = [.. all.Values.Select(setting => Entry(parsed, setting)), .. Own(root, [], file, IsOpen)];
        ConfigVariable[] unread =
            [.. EnvironmentSettings.Unread(root).Select(variable => new ConfigVariable(variable.Name, variable.Meant))];
        ConfigReport report = new(file.Path, file.Exists, [.. settings.OrderBy(setting => setting.Key, StringComparer.Ordinal)], unread);
        if (parsed.GetValue(s_json))
            VerbJson.Write(report);
        else
            report.Print();
        return ExitCode.Ok;
    }

    static ConfigEntry Entry(ParseResult parsed, ISetting setting)
    {
        (string? text, SettingSource source) = setting.Read(parsed);
        return ConfigEntry.Of(setting, setting.Key, text, source,
            source is SettingSource.Environment or SettingSource.File ? setting.Given!.Place : null);
    }

    /// <summary>
    /// What holds for single verbs: what the file says of them, where the environment does not say otherwise, and defaults of their own.
    /// </summary>
    static IEnumerable<ConfigEntry> Own(Command verb, IReadOnlyList<string> path, ConfigFile file, Func<ISetting, bool> isOpen)
    {
        foreach (Command below in verb.Subcommands)
        {
            IReadOnlyList<string> names = [.. path, below.Name];
            foreach (ISetting setting in Settings.Of(below))
                if (file.Find(names, setting) is { } own && own.Place != file.Find(path, setting)?.Place
                    && EnvironmentSettings.Find(setting) is null)
                    yield return ConfigEntry.Of(setting, Key(names, setting), string.Join(", ", own.Texts), own.Source, own.Place);
                else if (isOpen(setting))
                    yield return ConfigEntry.Of(setting, Key(names, setting), setting.Default, SettingSource.Default, null);
            foreach (ConfigEntry entry in Own(below, names, file, isOpen))
                yield return entry;
        }

        static string Key(IReadOnlyList<string> names, ISetting setting) => string.Join('.', [.. names, setting.Key]);
    }
}

/// <summary>What <c>config --json</c> prints.</summary>
/// <param name="File">The user's file; null for a user without a home.</param>
/// <param name="Exists">Whether it is there.</param>
/// <param name="Settings">Every setting, and what holds for single verbs only (<c>serve.port</c>).</param>
/// <param name="Unread">Variables that begin with KVASIR_ and that nobody reads.</param>
sealed record ConfigReport(string? File, bool Exists, IReadOnlyList<ConfigEntry> Settings, IReadOnlyList<ConfigVariable> Unread)
{
    public void Print()
    {
        string name = Printable.Line(File ?? "", 4096);
        Terminal.Answers.WriteLine(
            File is null ? "no file: there is no home for one" : Exists ? $"file: {name}" : $"file: {name}, which is not there");
        Table table = new Table().SimpleBorder().AddColumn("setting").AddColumn("value").AddColumn("from");
        foreach (ConfigEntry entry in Settings)
            table.AddRow(new Text(entry.Key), new Text(Printable.Line(entry.Value ?? "–", 100)),
                new Text(entry.From == "environment" ? entry.Place! : entry.From));
        Terminal.Answers.Write(table);
        foreach (ConfigVariable variable in Unread)
            Terminal.Answers.WriteLine($"nobody reads {Printable.Line(variable.Name, 100)}{(variable.Meant is null ? "" : $"; {variable.Meant} is perhaps what was meant")}");
    }
}

/// <summary>A setting that holds.</summary>
/// <param name="Key">Its name, behind those of a verb where it holds for that one only.</param>
/// <param name="Value">As one would type it, or in words where nothing is said; null for nothing at all, and
/// <c>***</c> for a secret.</param>
/// <param name="From"><c>flag</c>, <c>environment</c>, <c>file</c> or <c>default</c>.</param>
/// <param name="Place">The variable, or the file and key.</param>
sealed record ConfigEntry(string Key, string? Value, string From, string? Place)
{
    public static ConfigEntry Of(ISetting setting, string key, string? text, SettingSource source, string? place) =>
        new(key, setting.IsSecret && source != SettingSource.Default ? "***" : text, source.ToString().ToLowerInvariant(), place);
}

/// <summary>A variable that nobody reads, and the one that was perhaps meant.</summary>
sealed record ConfigVariable(string Name, string? Meant);
