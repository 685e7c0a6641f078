namespace Kvasir.Tests.Repository;

/// <summary>Lines that are read without scrolling, in everything that is written as code. Texts in Markdown flow, and data is not read.</summary>
public class LineLengthRules
{
    const int Most = 140;

    static readonly string[] s_kinds =
    [
        ".cs", ".csproj", ".props", ".targets", ".slnx", ".sh", ".ts", ".mjs", ".css", ".c", ".h", ".cpp", ".py",
        ".editorconfig", "/run", "kvasir",
    ];

    [Fact]
    public void Lines_of_code_have_140_characters_at_most() =>
        Assert.Empty(s_kinds.SelectMany(RepositoryFiles.EndingIn)
            .Where(path => !path.Contains("/dist/", StringComparison.Ordinal)).SelectMany(TooLong));

    /// <summary>Lines above the limit. A line without a blank, such as an address, cannot be broken.</summary>
    static IEnumerable<string> TooLong(string path) => RepositoryFiles.Lines(path).Index()
        .Where(line => line.Item.Length > Most && line.Item.TrimStart('/', ' ').Contains(' ', StringComparison.Ordinal))
        .Select(line => $"{path}:{line.Index + 1} has {line.Item.Length} characters");
}
