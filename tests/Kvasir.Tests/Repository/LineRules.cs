using System.Text.RegularExpressions;

namespace Kvasir.Tests.Repository;

/// <summary>
/// Lines that a reader sees whole, broken where a reader would: after <c>=&gt;</c>, before <c>?</c>, <c>:</c> and
/// <c>&amp;&amp;</c>, between arguments.
/// </summary>
public partial class LineRules
{
    const int Most = 140;

    [Fact]
    public void No_line_is_longer_than_140_characters_but_for_a_text_that_would_have_to_be_cut()
    {
        string[] tooLong = [.. RepositoryFiles.EndingIn(".cs").SelectMany(path =>
            TooLong(RepositoryFiles.Lines(path)).Select(line => $"{path}({line})"))];
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
