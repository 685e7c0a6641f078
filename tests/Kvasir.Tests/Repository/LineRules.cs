using System.Text.RegularExpressions;

namespace Kvasir.Tests.Repository;

/// <summary>
/// Lines that a reader sees whole, broken where a reader would: after <c>=&gt;</c>, before <c>?</c>, <c>:</c> and
/// <c>&amp;&amp;</c>, between arguments.
/// </summary>
public partial class LineRules
{
    const int Most = 140;

    static readonly string[] s_others =
    [
        ".csproj", ".props", ".targets", ".slnx", ".sh", ".ts", ".mjs", ".css", ".c", ".h", ".cpp", ".py",
        ".editorconfig", "/run", "/kvasir",
    ];

    [Fact]
    public void No_line_is_longer_than_140_characters_but_for_a_text_that_would_have_to_be_cut()
    {
        string[] tooLong = [.. RepositoryFiles.EndingIn(".cs").SelectMany(path =>
            TooLong(RepositoryFiles.Lines(path)).Select(line => $"{path}({line})"))];
        Assert.True(tooLong.Length == 0, string.Join('\n', tooLong));
    }

    [Fact]
    public void Nor_is_a_line_of_a_project_a_script_or_a_style()
    {
        string[] tooLong = [.. RepositoryFiles.All
            .Where(path => s_others.Any(end => $"/{path}".EndsWith(end, StringComparison.Ordinal)))
            .Where(path => !path.Contains("/dist/", StringComparison.Ordinal))
            .SelectMany(path => RepositoryFiles.Lines(path).Index()
                .Where(line => line.Item.Length > Most).Select(line => $"{path}({line.Index + 1})"))];
        Assert.True(tooLong.Length == 0, string.Join('\n', tooLong));
    }

    static IEnumerable<int> TooLong(string[] lines)
    {
        bool isText = false; // between the three quotes of a text of several lines
        for (int i = 0; i < lines.Length; i++)
        {
            if (!isText && lines[i].Length > Most && Texts().Replace(lines[i], "\"\"").Length > Most)
                yield return i + 1;
            isText ^= lines[i].Split("\"\"\"").Length % 2 == 0;
        }
    }

    [GeneratedRegex("\"\"\".*?\"\"\"|\"(?:[^\"\\\\]|\\\\.|\"\")*\"")]
    private static partial Regex Texts();
}
