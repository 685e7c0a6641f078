using System.Text.RegularExpressions;
using Kvasir.Tests.Cli;

namespace Kvasir.Tests.Repository;

/// <summary>Consoles that the docs show are what the program prints, where that is the same on every machine.</summary>
public partial class ConsoleTests
{
    /// <summary>Verbs whose answers depend on their arguments alone.</summary>
    static readonly string[] s_same = ["estimate", "limits"];

    public static TheoryData<string> Consoles => [.. Page.All.SelectMany(path => new Page(path).Blocks).Select(block => block.Text)
        .Where(text => text.StartsWith("$ kvasir ", StringComparison.Ordinal) && s_same.Contains(text.Split(' ')[2]))];

    [Theory, MemberData(nameof(Consoles))]
    public void A_console_is_printed_as_it_is_shown(string text)
    {
        string[] shown = text.Split('\n', 2);
        ShellCommand command = ShellCommand.Parse(shown[0][2..]);
        Assert.Equal(Lines(shown[1]), Lines(KvasirProcess.Run(command.Arguments).Answer));
    }

    /// <summary>Lines with words in them; how wide columns are is the terminal's business.</summary>
    static IEnumerable<string> Lines(string text) =>
        text.Split('\n').Select(line => Spaces().Replace(line, " ").Trim())
            .Where(line => line.Length > 0 && line.Any(char.IsLetterOrDigit));

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();
}
