using CsCheck;
using Kvasir.Inference.Sampling;

namespace Kvasir.Tests.Sampling;

public class StopFilterTests
{
    static readonly Gen<string> s_text = Text(0, 30), s_stop = Text(1, 3);

    static Gen<string> Text(int shortest, int longest) => Gen.Char["ab."].Array[shortest, longest].Select(letters => new string(letters));

    /// <summary>However the text is cut into pieces, what comes out is the text up to the first stop string, and nothing of that.</summary>
    [Fact]
    public void The_text_ends_where_the_first_stop_begins_however_it_is_cut() =>
        Gen.Select(s_text, Gen.Int[1, 4].Array[1, 30], s_stop.Array[0, 3]).Sample((text, cuts, stops) =>
        {
            var filter = new StopFilter(stops);
            string seen = "";
            for (int at = 0, i = 0; at < text.Length; at += cuts[i++ % cuts.Length])
                seen += filter.Append(text.Substring(at, Math.Min(cuts[i % cuts.Length], text.Length - at)));
            seen += filter.Flush();
            // A stop that ends first is found first, even if another began before it; the text then ends at the earliest beginning.
            int firstEnd = Enumerable.Range(1, text.Length)
                .FirstOrDefault(end => stops.Any(stop => text[..end].EndsWith(stop, StringComparison.Ordinal)));
            Assert.Equal(firstEnd > 0, filter.Stopped);
            if (firstEnd == 0)
                Assert.Equal(text, seen);
            else
                Assert.True(stops.Any(stop => text[seen.Length..].StartsWith(stop, StringComparison.Ordinal))
                    && text.StartsWith(seen, StringComparison.Ordinal) && !stops.Any(seen.Contains));
        }, iter: 5000);

    [Fact]
    public void A_stop_is_kept_where_it_is_to_be()
    {
        var filter = new StopFilter(["END", "N"], keepsStop: true);
        Assert.Equal("the ", filter.Append("the E"));
        Assert.Equal("END", filter.Append("NDS"));
        Assert.Equal("", filter.Append("more") + filter.Flush());
    }

    [Fact]
    public void Text_that_may_become_a_stop_is_held_back_and_released_when_it_does_not()
    {
        var filter = new StopFilter(["END"]);
        Assert.Equal("the ", filter.Append("the E"));
        Assert.Equal("", filter.Append("N"));
        Assert.Equal("ENtrance", filter.Append("trance"));
        Assert.Equal("", filter.Append("E"));
        Assert.Equal("E", filter.Flush());
    }
}
