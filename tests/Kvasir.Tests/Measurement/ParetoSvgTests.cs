using System.Xml.Linq;
using CsCheck;
using Kvasir.Inference.Measurement.Quality;

namespace Kvasir.Tests.Measurement;

public class ParetoSvgTests
{
    static readonly ParetoPoint[] s_points =
    [
        new("exact", "exact", 1536, new(400, 400), 0), new("replay:25%", "replay", 384, new(398, 400), .002),
        new("replay:50%", "replay", 768, new(399, 400), .0005), new("h2o:25%", "h2o", 384, new(50, 400), .4),
        new("q4_0 <&\"\u001b", "codecs", 432, new(397, 400)), new("random:25%", "random", 384, new(180, 400), 1.3),
    ];

    [Fact]
    public void What_nothing_else_beats_is_joined()
    {
        Assert.Equal(["replay:25%", "replay:50%", "exact"], ParetoPoint.Best(s_points).Select(point => point.Name));
        XElement svg = XDocument.Parse(ParetoSvg.Draw("saga, 60 facts", s_points)).Root!;
        XElement[] lines = [.. Elements(svg, "polyline")];
        Assert.Equal(2, lines.Length);
        Assert.All(lines, line => Assert.Equal(3, line.Attribute("points")!.Value.Trim().Split(' ').Length));
    }

    [Fact]
    public void Nothing_that_is_left_out_of_the_line_beats_anything_in_it() =>
        Gen.Select(Gen.Int[1, 20], Gen.Int[0, 20]).Array[1, 30].Sample(numbers =>
        {
            ParetoPoint[] points = [.. numbers.Select((pair, i) => new ParetoPoint($"{i}", "a", pair.Item1, new(pair.Item2, 20)))];
            ParetoPoint[] best = [.. ParetoPoint.Best(points)];
            Assert.All(points, point => Assert.Contains(best, other => other.BytesPerToken <= point.BytesPerToken
                && other.Answers.Share >= point.Answers.Share));
            Assert.All(best, point => Assert.DoesNotContain(points, other => other.BytesPerToken <= point.BytesPerToken
                && other.Answers.Share >= point.Answers.Share
                && (other.BytesPerToken, other.Answers) != (point.BytesPerToken, point.Answers)));
        });

    [Fact]
    public void Each_point_and_group_is_there_and_nothing_from_elsewhere()
    {
        string text = ParetoSvg.Draw("<saga>", s_points);
        XElement svg = XDocument.Parse(text).Root!;
        Assert.Equal(6 + 5 + 5, Elements(svg, "circle").Count()); // answers, divergences, legend
        Assert.Equal(6, Elements(svg, "line").Count(line => line.Attribute("stroke") is not null)); // intervals
        Assert.Contains("prefers-color-scheme: dark", text, StringComparison.Ordinal);
        Assert.Equal(1, text.Split("http").Length - 1); // the name of the format
        Assert.DoesNotContain('\u001b', text);
        Assert.Contains(Elements(svg, "title"), title => title.Value == "replay:25%: 384 bytes per token, 99.5 % of 400 right, KL 0.002");
        Assert.Equal(text, ParetoSvg.Draw("<saga>", s_points));
    }

    [Fact]
    public void Points_lie_within_the_picture() =>
        Gen.Select(Gen.Double[.001, 1e9], Gen.Int[0, 400], Gen.Double[0, 5]).Array[1, 20].Sample(numbers =>
        {
            XElement svg = XDocument.Parse(ParetoSvg.Draw("", [.. numbers.Select((of, i) =>
                new ParetoPoint($"{i}", $"{i % 12}", of.Item1, new(of.Item2, 400), i % 3 == 0 ? null : of.Item3))])).Root!;
            double[] size = [.. svg.Attribute("viewBox")!.Value.Split(' ').Select(value => double.Parse(value, null))];
            Assert.All(Elements(svg, "circle"), circle =>
            {
                Assert.InRange(double.Parse(circle.Attribute("cx")!.Value, null), 0, size[2]);
                Assert.InRange(double.Parse(circle.Attribute("cy")!.Value, null), 0, size[3]);
            });
        }, iter: 200);

    [Fact]
    public void Nothing_to_draw_is_refused()
    {
        Assert.Throws<ArgumentException>(() => ParetoSvg.Draw("", []));
        Assert.Throws<ArgumentException>(() => ParetoSvg.Draw("", [s_points[0] with { BytesPerToken = 0 }]));
    }

    static IEnumerable<XElement> Elements(XElement svg, string name) => svg.Descendants().Where(element => element.Name.LocalName == name);
}
