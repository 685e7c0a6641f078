using System.CommandLine;
using System.Text.RegularExpressions;
using Kvasir.Cli;
using Kvasir.Cli.Configuration;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Repository;

/// <summary>What the pages of the project point at is there: files, headings, verbs and flags.</summary>
public partial class PageTests
{
    public static TheoryData<string> Pages => [.. Page.All];

    /// <summary>The pages that tell of <c>kvasir</c> and of no other program's flags.</summary>
    public static TheoryData<string> PagesOfUsers =>
        [.. Page.All.Where(path => path == "README.md" || path.StartsWith("docs/", StringComparison.Ordinal))];

    [Theory, MemberData(nameof(Pages))]
    public void Links_lead_somewhere(string path)
    {
        foreach (string link in new Page(path).Links)
        {
            string[] parts = link.Split('#', 2);
            string target = parts[0].Length == 0 ? path : Join(path, parts[0]);
            Assert.True(Path.Exists(Path.Combine(Checkout.Root, target)), $"{path}: {link} leads nowhere");
            if (parts.Length > 1)
                Assert.True(new Page(target).Anchors.Contains(parts[1]), $"{path}: {link}: no such heading");
        }
    }

    [Fact]
    public void Every_page_of_the_docs_is_reached_from_the_readme()
    {
        HashSet<string> seen = [];
        Queue<string> open = new(["README.md"]);
        while (open.TryDequeue(out string? path))
            foreach (string link in new Page(path).Links.Select(link => Join(path, link.Split('#')[0])))
                // a folder shows its pages
                foreach (string page in Page.All.Where(
                    page => page == link || Path.GetDirectoryName(page)!.Replace('\\', '/') == link.TrimEnd('/')))
                    if (seen.Add(page))
                        open.Enqueue(page);
        Assert.Empty(Page.All.Where(page => page.StartsWith("docs/", StringComparison.Ordinal)).Except(seen));
    }

    [Theory, MemberData(nameof(Pages))]
    public void Commands_are_such_that_the_program_takes(string path)
    {
        RootCommand root = RootVerb.Create();
        foreach (ShellCommand command in new Page(path).Commands)
        {
            string[] arguments = [.. command.Arguments.Select(argument => argument is "VERB" ? "run" : argument)
                .Where(argument => argument is not ("…" or "..."))];
            ParseResult parsed = root.Parse(arguments, Settings.Parser);
            // `kvasir show` as the name of a verb
            bool isName = arguments.All(argument => !argument.StartsWith('-')) && parsed.CommandResult.Command != root;
            Assert.True(isName || parsed.Errors.All(error => IsPlaceholder(error.Message)),
                $"{path}: {command.Line}: {string.Join("; ", parsed.Errors.Select(error => error.Message))}");
        }
    }

    [Theory, MemberData(nameof(PagesOfUsers))]
    public void Flags_are_such_that_a_verb_has(string path)
    {
        HashSet<string> known =
            [.. All(RootVerb.Create()).SelectMany(verb => verb.Options).SelectMany(option => option.Aliases.Append(option.Name))];
        Assert.All(new Page(path).Inline.Select(code => Flag().Match(code)).Where(match => match.Success),
            match => Assert.Contains(match.Groups[1].Value, known));
    }

    static IEnumerable<Command> All(Command verb) => verb.Subcommands.SelectMany(All).Prepend(verb);

    /// <summary>Whether the parser's complaint is of something like SIZE or N, which stands for a value.</summary>
    static bool IsPlaceholder(string message) => Placeholder().IsMatch(message);

    /// <summary>Where a link of a page leads, from the root of the checkout.</summary>
    static string Join(string page, string link) =>
        Path.GetRelativePath(Checkout.Root, Path.GetFullPath(Path.Combine(Checkout.Root, Path.GetDirectoryName(page)!, link)))
            .Replace('\\', '/');

    [GeneratedRegex(@"[ '=][A-Z]+['\s:]")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"^(--[a-z][a-z-]*)")]
    private static partial Regex Flag();
}
