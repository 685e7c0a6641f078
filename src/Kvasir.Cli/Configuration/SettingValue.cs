namespace Kvasir.Cli.Configuration;

/// <summary>Who says what a setting is; the first one counts.</summary>
enum SettingSource
{
    /// <summary>The command line.</summary>
    Flag,

    /// <summary>A variable of the environment.</summary>
    Environment,

    /// <summary>The user's file.</summary>
    File,

    /// <summary>Nobody.</summary>
    Default,
}

/// <summary>What the environment or the file says of a setting.</summary>
/// <param name="Source">Which of them.</param>
/// <param name="Place">The variable, or the file and the key in it, for messages.</param>
/// <param name="Texts">What one would type behind the flag; several where it may be given several times.</param>
sealed record SettingValue(SettingSource Source, string Place, IReadOnlyList<string> Texts);
