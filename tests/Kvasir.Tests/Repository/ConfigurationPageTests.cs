using System.CommandLine;
using Kvasir.Cli;
using Kvasir.Cli.Configuration;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary><c>docs/configuration.md</c> lists the settings that there are, each with what the verbs' own help says of it.</summary>
public class ConfigurationPageTests
{
    static readonly RootCommand s_root = RootVerb.Create();

    [Fact]
    public void The_table_has_every_setting_with_its_default_its_verbs_and_its_description()
    {
        string page = File.ReadAllText(Path.Combine(Checkout.Root, "docs/configuration.md")).ReplaceLineEndings("\n");
        string table = string.Concat(Settings.Below(s_root).DistinctBy(setting => setting.Key).OrderBy(setting => setting.Key,
            StringComparer.Ordinal).Select(Row));
        Assert.True(page.EndsWith("|---|---|---|---|\n" + table, StringComparison.Ordinal),
            $"expected at the end of docs/configuration.md:\n{table}");
    }

    [Fact]
    public void The_file_that_is_shown_is_one_that_is_taken()
    {
        using TemporaryFolder folder = new();
        string shown = new Page("docs/configuration.md").Blocks.Single(block => block.Language == "json").Text;
        string path = folder.Write("config.json", RawGguf.Bytes(shown));
        ConfigFile file = ConfigFile.Read(s_root, path);
        Assert.Equal(["9000"], file.Find(["serve"], Settings.Below(s_root).First(setting => setting.Key == "port"))!.Texts);
    }

    [Fact]
    public void Every_verb_that_does_something_prints_json()
    {
        Assert.All(Leaves(s_root), verb => Assert.Contains(verb.Command.Options, option => option.Name == "--json"));
    }

    static string Row(ISetting setting)
    {
        string description = ((Option)setting).Description!;
        int usual = description.IndexOf("; without it, ", StringComparison.Ordinal);
        (string Verb, string? Default)[] verbs = [.. Leaves(s_root).Where(verb => verb.Path != "config")
            .SelectMany(verb =>
                Settings.Of(verb.Command).Where(other => other.Key == setting.Key).Select(other => ($"`{verb.Path}`", other.Default)))];
        string others =
            string.Concat(verbs.Where(verb => verb.Default != setting.Default).Select(verb => $"; {verb.Verb}: {verb.Default}"));
        return $"| `{setting.Key}` | {setting.Default}{others} | {string.Join(", ", verbs.Select(verb => verb.Verb))} | "
            + $"{(usual < 0 ? description : description[..usual])} |\n";
    }

    /// <summary>The verbs that run, with their names from the first down.</summary>
    static IEnumerable<(string Path, Command Command)> Leaves(Command verb, string before = "") =>
        verb.Subcommands.SelectMany(below => Leaves(below, $"{before}{below.Name} ").Prepend((before + below.Name, below)))
            .Where(below => below.Item2.Action is not null);
}
