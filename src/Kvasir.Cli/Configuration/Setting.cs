using System.CommandLine;
using System.CommandLine.Parsing;
using System.Globalization;

namespace Kvasir.Cli.Configuration;

/// <summary>
/// A flag that holds beyond one call: where the command line does not say it, a variable <c>KVASIR_…</c> or the user's file may.
/// </summary>
interface ISetting
{
    /// <summary>The flag, such as <c>--kv-dir</c>.</summary>
    string Name { get; }

    /// <summary>What its value is in code.</summary>
    Type ValueType { get; }

    /// <summary>Its name in the file: the flag without dashes before it.</summary>
    string Key { get; }

    /// <summary>The variables that set it; the first that is not empty counts.</summary>
    IReadOnlyList<string> Variables { get; }

    /// <summary>Whether nobody is shown its value.</summary>
    bool IsSecret { get; }

    /// <summary>Whether it names a file or directory.</summary>
    bool IsPath { get; }

    /// <summary>What holds where nobody says anything, as one would type it or in words; null for nothing at all.</summary>
    string? Default { get; }

    /// <summary>What the environment or the file says; null where they say nothing, or have not been asked.</summary>
    SettingValue? Given { get; }

    /// <summary>Throws when a value is none for this setting.</summary>
    /// <exception cref="UsageException">It is not; the message begins with its place.</exception>
    void Check(SettingValue value);

    /// <summary>Lets a value hold wherever the command line says nothing.</summary>
    void Take(SettingValue value);

    /// <summary>The value that a command line has, for people, and where it comes from.</summary>
    (string? Text, SettingSource Source) Read(ParseResult parsed);
}

/// <param name="name">The flag.</param>
/// <param name="aliases">Other names of the flag.</param>
sealed class Setting<T>(string name, params string[] aliases) : Option<T>(name, aliases), ISetting
{
    public string Key => Name[2..];

    public IReadOnlyList<string> Variables => [EnvironmentSettings.Variable(Key), .. OtherVariables];

    /// <summary>Variables of others that mean the same, after our own.</summary>
    public IReadOnlyList<string> OtherVariables { get; init; } = [];

    public bool IsSecret { get; init; }

    public bool IsPath { get; init; }

    public SettingValue? Given { get; private set; }

    public string? Default =>
        Usual ?? (ValueType == typeof(bool) ? "false"
            : HasDefaultValue ? Convert.ToString(GetDefaultValue(), CultureInfo.InvariantCulture)
            : null);

    /// <summary>The default in words, behind the description, where it is no value.</summary>
    public string? Usual
    {
        get;
        init
        {
            field = value;
            Description = $"{Description}; without it, {value}";
        }
    }

    public void Check(SettingValue value) => Parse(value);

    public void Take(SettingValue value)
    {
        T parsed = Parse(value);
        DefaultValueFactory = _ => parsed;
        Given = value;
    }

    public (string? Text, SettingSource Source) Read(ParseResult parsed)
    {
        if (parsed.GetResult(this) is { Implicit: false } result)
            return (string.Join(", ", result.Tokens.Count > 0 ? result.Tokens.Select(token => token.Value) : ["true"]), SettingSource.Flag);
        return Given is null ? (Default, SettingSource.Default) : (string.Join(", ", Given.Texts), Given.Source);
    }

    /// <summary>Reads a value as the command line would.</summary>
    T Parse(SettingValue value)
    {
        if (ValueType == typeof(bool) && value.Texts.FirstOrDefault(text => !bool.TryParse(text, out _)) is { } wrong)
            throw new UsageException($"{value.Place}: saw {Formats.Printable.Quote(wrong)}, expected true or false");
        ParseResult parsed = new Command("settings") { this }.Parse([.. value.Texts.Select(text => $"{Name}={text}")], Settings.Parser);
        return parsed.Errors is [var error, ..] ? throw new UsageException($"{value.Place}: {Spoken(error)}") : parsed.GetValue(this)!;
    }

    /// <summary>The parser's words without the flag, which nobody typed: of "--port x: expected" there stays "saw x, expected".</summary>
    string Spoken(ParseError error) => error.Message.StartsWith(Name + ' ', StringComparison.Ordinal)
        ? "saw " + error.Message[(Name.Length + 1)..].Replace(": expected", ", expected", StringComparison.Ordinal)
        : error.Message;
}
