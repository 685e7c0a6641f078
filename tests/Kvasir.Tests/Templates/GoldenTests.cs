using Kvasir.Inference.Chat;
using Kvasir.Inference.Templates;

namespace Kvasir.Tests.Templates;

/// <summary>
/// Templates and snippets against Python's Jinja, set up as transformers does it, and @huggingface/jinja. Where the two differ Python
/// counts, and the golden file keeps the other's answer as "javascript".
/// </summary>
public sealed class GoldenTests
{
    public static TheoryData<string> Names => [.. Corpus.Names];

    [Theory, MemberData(nameof(Names))]
    public void A_template_writes_what_Jinja_writes(string name)
    {
        string source = Corpus.Source(name);
        Corpus.Golden[] goldens = Corpus.Goldens(name);

        Assert.Equal(Corpus.Conversations, goldens.Select(golden => golden.Conversation));
        Assert.All(goldens, golden => Corpus.Check(golden, source, Corpus.Variables(golden.Conversation!)));
    }

    [Fact]
    public void Every_construct_means_what_it_means_in_Jinja() =>
        Assert.All(Corpus.Goldens("language"), golden => Corpus.Check(golden, golden.Source!, Corpus.LanguageVariables));

    /// <summary>
    /// Templates that are not ours to ship, with goldens beside them where the oracle wrote some. Kvasir is meant to be more lenient where
    /// Jinja's sandbox forbids to change lists and where Jinja yields generators, and its <c>safe</c> marks nothing as markup, so that
    /// nothing added to it is escaped.
    /// </summary>
    [Fact]
    public void Real_templates_write_what_Jinja_writes()
    {
        string? folder = Environment.GetEnvironmentVariable("KVASIR_TEMPLATES");
        Assert.SkipWhen(folder is null, "needs a folder of *.jinja files, named by the environment variable KVASIR_TEMPLATES");

        Assert.All(Corpus.TemplatesIn(folder), path =>
        {
            string source = File.ReadAllText(path), goldens = Path.ChangeExtension(path, ".json");
            if (File.Exists(goldens))
                Assert.All(
                    Corpus.GoldensIn(goldens).Where(golden => !IsStricter(golden)),
                    golden => Corpus.Check(golden, source, Corpus.Variables(golden.Conversation!)));
            else
                Assert.Contains(Corpus.Conversations, name => Renders(source, name));
        });
    }

    static bool Renders(string source, string conversation) =>
        Record.Exception(() => ChatTemplate.Parse(source).Render(Corpus.Variables(conversation), Corpus.Clock)) is null;

    static bool IsStricter(Corpus.Golden golden) => golden.Fails is { } failure
        ? failure.StartsWith("SecurityError", StringComparison.Ordinal) || failure.Contains("generator", StringComparison.Ordinal)
        : golden.Text is { } text && (text.Contains("&lt;", StringComparison.Ordinal) || text.Contains("&#3", StringComparison.Ordinal));
}
