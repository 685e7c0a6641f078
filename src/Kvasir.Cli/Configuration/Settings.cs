using System.CommandLine;
using System.CommandLine.Parsing;
using System.Text.RegularExpressions;

namespace Kvasir.Cli.Configuration;

/// <summary>Lets the environment and the user's file say what the command line does not.</summary>
static class Settings
{
    /// <summary>How command lines are read. A prompt may begin with @: it names no file of arguments.</summary>
    public static ParserConfiguration Parser { get; } = new() { ResponseFileTokenReplacer = null };

    /// <summary>The settings of a verb.</summary>
    public static IEnumerable<ISetting> Of(Command verb) => verb.Options.OfType<ISetting>();

    /// <summary>Those of a verb and of all below it.</summary>
    public static IEnumerable<ISetting> Below(Command verb) => Of(verb).Concat(verb.Subcommands.SelectMany(Below)).Distinct();

    /// <summary>A verb's names, as one types them.</summary>
    public static IReadOnlyList<string> Names(CommandResult verb) =>
        verb.Parent is CommandResult parent ? [.. Names(parent), verb.Command.Name] : [];

    /// <summary>Gives the settings of a verb that is about to run the values that hold.</summary>
    /// <param name="parsed">The command line.</param>
    /// <param name="file">The user's file.</param>
    /// <returns>Whether there were any, so that the command line has to be read again.</returns>
    /// <exception cref="UsageException">A value makes no sense.</exception>
    public static bool Settle(ParseResult parsed, ConfigFile file)
    {
        IReadOnlyList<string> verb = Names(parsed.CommandResult);
        foreach (ISetting setting in Of(parsed.CommandResult.Command))
            if ((EnvironmentSettings.Find(setting) ?? file.Find(verb, setting)) is { } value)
                setting.Take(value);
        return Of(parsed.CommandResult.Command).Any(setting => setting.Given is not null);
    }

    /// <summary>Who said what a failure complains about, where it was not the command line.</summary>
    public static string Explain(ParseResult parsed, string failure) => string.Concat(
        Of(parsed.CommandResult.Command)
            .Where(setting => setting.Given is not null && setting.Read(parsed).Source != SettingSource.Flag && IsAbout(failure, setting))
            .Select(setting => $"; {setting.Name} is set by {setting.Given!.Place}"));

    /// <summary>
    /// Whether a message names the flag, or its value where that is a text, or says its words, as the engine does ("KV device bytes").
    /// </summary>
    static bool IsAbout(string failure, ISetting setting) =>
        Regex.IsMatch(failure, $@"(?<![\w-]){Regex.Escape(setting.Name)}(?![\w-])")
        || setting.Key.Contains('-') && failure.Contains(setting.Key.Replace('-', ' '), StringComparison.OrdinalIgnoreCase)
        || setting is { IsSecret: false, Given.Texts: [string text] } && setting.ValueType == typeof(string)
        && failure.Contains(text, StringComparison.Ordinal);
}
