using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Compatibility;

/// <summary>
/// The table in docs/compatibility.md, a row for each client. Whoever has run a client compares its row with what came of it; with
/// <c>KVASIR_WRITE_COMPATIBILITY=1</c> the row is written instead.
/// </summary>
static class CompatibilityPage
{
    const string Begin = "<!-- clients: written by the tests that run them, which fail when a row is not true -->", End = "<!-- /clients -->";

    static readonly string s_path = Path.Combine(Checkout.Root, "docs", "compatibility.md");
    static readonly Lock s_gate = new();

    static string Head { get; } = $"| client | version | {string.Join(" | ", Enum.GetNames<Feature>().Select(name => name.ToLowerInvariant()))} |\n"
        + $"|---|---|{string.Concat(Enumerable.Repeat(":-:|", Enum.GetValues<Feature>().Length))}\n";

    /// <summary>Compares the row of a client with what has been shown.</summary>
    /// <param name="client">Its name.</param>
    /// <param name="version">Its version; null where it has none.</param>
    /// <param name="shown">What has been tried of it, and whether it went well.</param>
    /// <param name="failures">What to say where it did not.</param>
    public static void Check(string client, string? version, IReadOnlyDictionary<Feature, bool> shown, string failures = "")
    {
        string row = $"| {client} | {version ?? "–"} | {string.Join(" | ", Enum.GetValues<Feature>()
            .Select(feature => shown.TryGetValue(feature, out bool went) ? went ? "✓" : "✗" : ""))} |";
        if (Environment.GetEnvironmentVariable("KVASIR_WRITE_COMPATIBILITY") == "1")
            Write(client, row);
        else
            Assert.True(Rows().Contains(row), $"docs/compatibility.md: the row of {client} is not true; KVASIR_WRITE_COMPATIBILITY=1 writes it:\n"
                + $"{row}\n{failures}");
    }

    /// <summary>The clients that have a row.</summary>
    public static IEnumerable<string> Clients() => Rows().Select(row => row.Split('|')[1].Trim());

    static string[] Rows() => Table(File.ReadAllText(s_path)).Split('\n', StringSplitOptions.RemoveEmptyEntries)[2..];

    static string Table(string page)
    {
        int begin = page.IndexOf(Begin, StringComparison.Ordinal), end = page.IndexOf(End, StringComparison.Ordinal);
        Assert.True(begin >= 0 && end > begin, "docs/compatibility.md: the marks around its table are gone");
        return page[(begin + Begin.Length + 1)..end];
    }

    static void Write(string client, string row)
    {
        lock (s_gate)
        {
            string page = File.ReadAllText(s_path);
            string[] rows = [.. Rows().Where(other => !other.StartsWith($"| {client} |", StringComparison.Ordinal)).Append(row)
                .Order(StringComparer.OrdinalIgnoreCase)];
            File.WriteAllText(s_path, page.Replace(Table(page), Head + string.Join('\n', rows) + '\n', StringComparison.Ordinal));
        }
    }
}
