using System.Collections;
using System.CommandLine;
using Kvasir.Formats;

namespace Kvasir.Cli.Configuration;

/// <summary>Settings in the environment: <c>--kv-dir</c> is <c>KVASIR_KV_DIR</c>. An empty variable is as good as none.</summary>
static class EnvironmentSettings
{
    const string Prefix = "KVASIR_";

    /// <summary>As far from a setting's variable as a slip of the fingers goes.</summary>
    const int Slip = 3;

    /// <summary>What is read, too, and is no setting: it is for tests and comparisons.</summary>
    static readonly string[] s_others = ["KVASIR_ISA", "KVASIR_VULKAN_VALIDATION"];

    /// <summary>Whether there are variables that begin as ours do.</summary>
    public static bool AreThere => Ours().Any(name => !s_others.Contains(name));

    static IEnumerable<string> Ours() =>
        Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal));

    /// <summary>The variable of a key.</summary>
    public static string Variable(string key) => Prefix + key.Replace('-', '_').ToUpperInvariant();

    /// <summary>What the environment says of a setting.</summary>
    public static SettingValue? Find(ISetting setting)
    {
        foreach (string variable in setting.Variables)
            if (Environment.GetEnvironmentVariable(variable) is { Length: > 0 } text)
                return new SettingValue(SettingSource.Environment, variable, [setting.ValueType == typeof(bool) ? Switch(text) : text]);
        return null;
    }

    /// <summary>Variables that begin as ours do and that nobody reads, each with the one that was meant, if that is plain.</summary>
    public static IReadOnlyList<(string Name, string? Meant)> Unread(Command root)
    {
        string[] ours = [.. Ours()];
        if (ours.Length == 0)
            return [];
        HashSet<string> read = [.. Settings.Below(root).SelectMany(setting => setting.Variables), .. s_others];
        return [.. ours.Where(name => !read.Contains(name)).Order(StringComparer.Ordinal)
            .Select(name => (name, Spelling.Near(name, read, Slip).FirstOrDefault()))];
    }

    /// <summary>Says which variables look like a slip of the fingers: what they were to do is not done.</summary>
    public static void Warn(Command root)
    {
        foreach ((string name, string? meant) in Unread(root))
            if (meant is not null)
                Terminal.Line($"warning: nobody reads {Printable.Line(name, 100)}; {meant} is perhaps what was meant");
    }

    static string Switch(string text) => text switch { "1" => "true", "0" => "false", _ => text };
}
