using System.Text;
using System.Text.RegularExpressions;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary>A Markdown page of the project: its links, what it shows as code, and the commands in it.</summary>
/// <param name="path">From the root of the checkout.</param>
sealed partial class Page(string path)
{
    readonly string _text = File.ReadAllText(System.IO.Path.Combine(Checkout.Root, path)).ReplaceLineEndings("\n");

    /// <summary>From the root of the checkout, with <c>/</c> between folders.</summary>
    public string Path => path;

    /// <summary>Folders of what was built or installed.</summary>
    static readonly HashSet<string> s_foreign = ["artifacts", "node_modules", "bin", "obj", ".git"];

    /// <summary>The pages of the project.</summary>
    public static IReadOnlyList<string> All { get; } = [.. In("").Order(StringComparer.Ordinal)];

    /// <summary>Targets of links that are no web addresses.</summary>
    public IEnumerable<string> Links => Link().Matches(Prose).Select(match => match.Groups[1].Value)
        .Where(target => !target.Contains("://", StringComparison.Ordinal) && !target.StartsWith("mailto:", StringComparison.Ordinal));

    /// <summary>Names by which links point into the page.</summary>
    public IEnumerable<string> Anchors => Heading().Matches(Prose)
        .Select(match => NoAnchor().Replace(match.Groups[1].Value.ToLowerInvariant(), "").Replace(' ', '-'));

    /// <summary>What stands between fences, by their language.</summary>
    public IEnumerable<(string Language, string Text)> Blocks =>
        Fence().Matches(_text).Select(match => (match.Groups[1].Value, match.Groups[2].Value));

    /// <summary>What stands between backticks within a line.</summary>
    public IEnumerable<string> Inline => Code().Matches(Prose).Select(match => match.Groups[1].Value);

    /// <summary>
    /// Every command that begins with <c>./kvasir</c> or <c>kvasir</c>: lines of blocks, behind a prompt or not, and code within lines.
    /// </summary>
    public IEnumerable<ShellCommand> Commands => Blocks
        .SelectMany(block => block.Text.Replace("\\\n", " ", StringComparison.Ordinal).Split('\n'))
        .Select(line => line.StartsWith("$ ", StringComparison.Ordinal) ? line[2..] : line)
        .Concat(Inline).Where(line => Begin().IsMatch(line)).Select(ShellCommand.Parse);

    static IEnumerable<string> In(string folder)
    {
        string path = System.IO.Path.Combine(Checkout.Root, folder);
        return Directory.EnumerateFiles(path, "*.md").Select(file => folder + System.IO.Path.GetFileName(file))
            .Concat(Directory.EnumerateDirectories(path).Select(below => System.IO.Path.GetFileName(below))
                .Where(name => !s_foreign.Contains(name))
                .SelectMany(name => In($"{folder}{name}/")));
    }

    string Prose => Fence().Replace(_text, "");

    [GeneratedRegex(@"\]\(([^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"^#+ (.+)$", RegexOptions.Multiline)]
    private static partial Regex Heading();

    [GeneratedRegex(@"[^\p{L}\p{N} _-]")]
    private static partial Regex NoAnchor();

    [GeneratedRegex(@"^```(\w*)\n(.*?)^```$", RegexOptions.Multiline | RegexOptions.Singleline)]
    private static partial Regex Fence();

    [GeneratedRegex(@"`([^`\n]+)`")]
    private static partial Regex Code();

    [GeneratedRegex(@"^(\./)?kvasir \S")]
    private static partial Regex Begin();
}

/// <summary>A command as a shell would read it.</summary>
/// <param name="Line">As it stands in the page.</param>
/// <param name="Arguments">What the program gets.</param>
/// <param name="Output">The file that its output goes to, if it does.</param>
/// <param name="Comment">What stands behind <c>#</c>, or behind the command; empty for nothing.</param>
sealed record ShellCommand(string Line, IReadOnlyList<string> Arguments, string? Output, string Comment)
{
    /// <summary>Reads words, quotes, <c>&gt; FILE</c> and comments; the first word is the program.</summary>
    public static ShellCommand Parse(string line)
    {
        List<string> words = [];
        StringBuilder? word = null;
        char quote = '\0';
        string comment = "";
        for (int i = 0; i < line.Length; i++)
            if (quote != '\0' && line[i] == quote)
                quote = '\0';
            else if (quote == '\0' && line[i] is '\'' or '"')
                (quote, word) = (line[i], word ?? new StringBuilder());
            else if (quote == '\0' && word is null && line[i] is '#' or '&')
            {
                comment = line[(i + 1)..].Trim();
                break;
            }
            else if (quote == '\0' && line[i] == ' ')
                Take();
            else
                (word ??= new StringBuilder()).Append(line[i]);
        Take();
        int output = words.IndexOf(">");
        return output < 0
            ? new ShellCommand(line, words[1..], null, comment)
            : new ShellCommand(line, words[1..output], words[output + 1], comment);

        void Take()
        {
            if (word is not null)
                words.Add(word.ToString());
            word = null;
        }
    }
}
