using Kvasir.Inference.Measurement.Quality;

namespace Kvasir.Tests.Measurement;

public class PairedBootstrapTests
{
    static Score[] Scores(params int[] right) => [.. right.Select(count => new Score(count, 10))];

    [Fact]
    public void Equal_answers_differ_by_nothing() =>
        Assert.Equal(new ShareDifference(0, new Bounds(0, 0)), PairedBootstrap.Compare(Scores(9, 3, 7), Scores(9, 3, 7)));

    [Fact]
    public void What_is_worse_by_as_much_in_every_document_is_so_whatever_is_drawn()
    {
        ShareDifference difference = PairedBootstrap.Compare(Scores(9, 3, 7, 5), Scores(8, 2, 6, 4));
        Assert.Equal(.1, difference.Difference, 12);
        Assert.Equal((.1, .1), (Math.Round(difference.Interval.Low, 12), Math.Round(difference.Interval.High, 12)));
    }

    /// <summary>
    /// 100 documents, of which half lose 2 answers of 10: −.1, with a standard error of .1 / √100 of the mean, thus ±.0196.
    /// </summary>
    [Fact]
    public void Bounds_are_those_of_the_mean_over_documents()
    {
        Score[] first = [.. Enumerable.Range(0, 100).Select(i => new Score(i % 2 == 0 ? 8 : 10, 10))];
        Score[] second = [.. Enumerable.Repeat(new Score(10, 10), 100)];
        ShareDifference difference = PairedBootstrap.Compare(first, second);
        Assert.Equal(-.1, difference.Difference, 12);
        Assert.Equal(-.1196, difference.Interval.Low, .003);
        Assert.Equal(-.0804, difference.Interval.High, .003);
        Assert.Equal(difference, PairedBootstrap.Compare(first, second));
    }

    [Fact]
    public void Other_documents_or_questions_are_refused()
    {
        Refuses("0 and 0 documents", [], []);
        Refuses("2 and 1 documents", Scores(1, 2), Scores(1));
        Refuses("document 1: 10 and 9 questions", Scores(1, 2), [new(1, 10), new(1, 9)]);

        static void Refuses(string message, Score[] first, Score[] second) => Assert.Contains(message,
            Assert.Throws<ArgumentException>(() => PairedBootstrap.Compare(first, second)).Message, StringComparison.Ordinal);
    }
}
