using System.Globalization;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using CsCheck;
using Kvasir.Cli.Verbs.Simulate;
using Kvasir.Cli.Verbs.Simulate.Html;
using Kvasir.Cli.Verbs.Simulate.Reports;
using Kvasir.Planning.Simulation;
using static Kvasir.Tests.Simulation.ReportFixture;

namespace Kvasir.Tests.Simulation;

/// <summary>The page of a simulation: right, whole, and harmless whatever the trace is called.</summary>
public class ReportPageTests
{
    static string Page(SimulationResult? result = null, double price = 0, string name = "made", IReadOnlyList<SweepPoint>? sweep = null) =>
        HtmlReport.Render(SimulateReport.From(Trace(name), Options(price), result ?? Result(), sweep));

    /// <summary>The plots, as XML: what is not well-formed is told by the parser.</summary>
    static XElement[] Plots(string page) =>
        [.. Regex.Matches(page, "<svg.*?</svg>", RegexOptions.Singleline).Select(svg => XElement.Parse(svg.Value))];

    static double Number(XElement element, string attribute) =>
        double.Parse(element.Attribute(attribute)!.Value, CultureInfo.InvariantCulture);

    static string Title(string page) => Regex.Match(page, "<h1>(.*?)</h1>").Groups[1].Value;

    [Fact]
    public void The_first_line_says_what_came_of_it()
    {
        Assert.Equal("The cache spared the machines 48 % of their work on prompts: 29 minutes", Title(Page()));
        Assert.Equal("The cache spared the machines 48 % of their work on prompts: 29 minutes, worth 1.93", Title(Page(price: 4)));
        Assert.Equal("The cache cost more than it saved: 40 s of machine time", Title(Page(Result(prefill: 3580))));
        Assert.Equal("The cache saved nothing worth the name", Title(Page(Result(prefill: 3540))));
    }

    [Fact]
    // 1.9333 · 720 hours
    public void A_month_of_it_is_worth_a_months_money() =>
        Assert.Contains("1,392 in 30 days that are all like this", Page(price: 4), StringComparison.Ordinal);

    [Fact]
    public void Columns_are_as_high_as_shares_are()
    {
        XElement[] columns = [.. Plots(Page())[0].Elements("rect").Where(rect => rect.Attribute("fill") is not null)];
        // nothing for what is 0, and for the slice without requests
        Assert.Equal(["var(--device)", "var(--host)"], columns.Select(column => column.Attribute("fill")!.Value));
        double full = 300 - 46 - 14; // of the plot
        Assert.Equal(0.5, Number(columns[0], "height") / full, 0.001);
        Assert.Equal(0.5, Number(columns[1], "height") / full, 0.001);
        Assert.Equal(Number(columns[0], "width") * 2, Number(columns[1], "x") - Number(columns[0], "x"), 1.0);
    }

    [Fact]
    public void Lines_are_interrupted_where_nobody_asked() => Assert.Equal(2, Plots(Page())[1].Elements("polyline").Count());

    [Fact]
    public void Faults_are_marked_when_they_happen()
    {
        XElement line = Assert.Single(Plots(Page())[0].Elements("line"), line => (string?)line.Attribute("class") == "rule");
        Assert.Equal(78 + (960 - 78 - 16) / 4.0, Number(line, "x1"), 0.1);
    }

    [Fact]
    public void The_smallest_fleet_that_is_nearly_the_best_is_named()
    {
        string page = Page(sweep: Sweep());
        Assert.Contains("Enough is host 2 GiB, policy lru: 49.5 % of the blocks, within one point of the most that any of these finds "
            + "(50.0 %, with host 4 GiB, policy lru).", page, StringComparison.Ordinal);
        Assert.Equal("2 GiB", Regex.Match(page, "<tr class=\"best\"><td class=\"name\">(.*?)</td>").Groups[1].Value);
        XElement plot = Plots(page)[2];
        Assert.Equal(5, plot.Elements("circle").Count()); // no room and unlimited room have no place on the axis
        Assert.Equal(2, plot.Elements("polyline").Count(curve => (string?)curve.Attribute("class") == "curve"));
    }

    [Fact]
    public void A_sweep_of_names_alone_has_a_table_and_no_curve()
    {
        SweepPoint[] points = [.. Sweep().Where(point => point.Numbers.Count == 0)];
        Assert.Equal(2, Plots(Page(sweep: points)).Length);
    }

    [Fact]
    public void Names_from_outside_stay_text()
    {
        const string name = "<script>alert(1)</script>\"'&\u001b[2J\u202e";
        string page = Page(name: name, sweep: [Point(name, 1, name, 0.5), Point(name, 2, name, 0.5)]);
        Assert.DoesNotContain("<script", page, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain('\u001b', page);
        Assert.DoesNotContain('\u202e', page);
        Assert.Contains("&lt;script&gt;alert(1)&lt;/script&gt;&quot;&#39;&amp;", page, StringComparison.Ordinal);
        Assert.Equal(3, Plots(page).Length);
    }

    [Fact]
    public void Nothing_comes_from_elsewhere() => Assert.DoesNotMatch(
        new Regex("src=|href=|url\\(|@import|https?:|<script|<link", RegexOptions.IgnoreCase), Page(price: 4, sweep: Sweep()));

    [Fact]
    public void Every_tag_is_closed()
    {
        Stack<string> open = [];
        foreach (Match tag in Regex.Matches(Page(price: 4, sweep: Sweep()), "<(/?)([a-z0-9]+)[^>]*?(/?)>"))
            if (tag.Groups[1].Value == "/")
                Assert.Equal(open.Pop(), tag.Groups[2].Value);
            else if (tag.Groups[3].Value != "/" && tag.Groups[2].Value != "meta")
                open.Push(tag.Groups[2].Value);
        Assert.Empty(open);
    }

    [Fact]
    public void Whatever_the_numbers_are_the_plots_have_places()
    {
        Gen<TimeSlice> slice = Gen.Select(Gen.Double[0, 1e6], Gen.Long[0, 3], Gen.Long[0, 1 << 40], Gen.Double[0, 1])
            .Select((from, requests, tokens, share) =>
            new TimeSlice(TimeSpan.FromSeconds(from), requests, tokens,
                [(long)(tokens * share), (long)(tokens * (1 - share))], share * from, 0));
        Gen.Select(slice.Array[0, 8], Gen.Double[0, 1e9], Gen.Double[0, 1e9]).Sample((slices, prefill, without) =>
        {
            string page = Page(Result(prefill, without) with
            {
                Timeline = [.. slices.OrderBy(each => each.From)],
                InputTokens = slices.Sum(each => each.InputTokens),
            }, price: 1, sweep: Sweep());
            foreach (XElement element in Plots(page).SelectMany(plot => plot.Descendants()))
                foreach (string attribute in (string[])["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height"])
                    if (element.Attribute(attribute) is not null)
                        Assert.InRange(Number(element, attribute), 0, 1000);
        }, iter: 200);
    }
}
