using System.Text.RegularExpressions;
using Kvasir.Server.Serving;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Server;

/// <summary>
/// What becomes of each field of a request is said in one table, which the readers, the documents and a running server follow.
/// </summary>
public sealed partial class FieldTableTests
{
    [Fact]
    public void The_documents_have_the_table() =>
        Assert.True(File.ReadAllText(Path.Combine(Checkout.Root, "docs/http-api.md")).Contains(FieldPage.Tables, StringComparison.Ordinal),
            $"docs/http-api.md: the table should be:\n{FieldPage.Tables}");

    [Fact]
    public void A_field_has_one_row_for_an_endpoint() =>
        Assert.All(FieldTable.All.SelectMany(field => Enum.GetValues<Endpoints>().Where(at => int.IsPow2((int)at) && field.At.HasFlag(at))
            .Select(at => (field.Name, at))).GroupBy(row => row), rows => Assert.Single(rows));

    /// <summary>Whoever reads a new field has to say so in the table.</summary>
    [Fact]
    public void What_the_readers_read_is_in_the_table()
    {
        HashSet<string> known = [.. FieldTable.All.Where(field => field.Use != FieldUse.Refused)
            .SelectMany(field => (string[])[field.Name, field.Name.Split('.')[0]])];
        string[] read = [.. new[] { "OpenAi", "Anthropic", "LlamaServer", "Ollama", "Serving", "Kv" }
            .SelectMany(folder => Directory.GetFiles(Path.Combine(Checkout.Root, "src/Kvasir.Server", folder), "*.cs"))
            .SelectMany(file => Body().Matches(File.ReadAllText(file))).Select(match => match.Groups[1].Value).Distinct()];
        Assert.True(read.Length > 40);
        Assert.Empty(read.Except(known));
    }

    [GeneratedRegex(@"\bbody\[""(\w+)""\]")]
    private static partial Regex Body();
}
