using Kvasir.KvCache.Retention;

namespace Kvasir.Tests.Retention;

/// <summary>Heads whose attention is made by hand: 100 positions, 10 rows that are the last ones and see no later position.</summary>
public class FastGenTests
{
    const int Positions = 100, Rows = 10;

    static readonly bool[] s_special = Mask(0), s_punctuation = Mask(11, 22, 33, 44, 55, 66, 77);

    static bool[] Mask(params int[] positions) => [.. Enumerable.Range(0, Positions).Select(positions.Contains)];

    /// <summary>Rows with .97 of their attention on some positions each, the rest on all others that they see.</summary>
    static float[] Attention(Func<int, IEnumerable<int>> favourites, double share = .97)
    {
        var attention = new float[Rows * Positions];
        for (int row = 0; row < Rows; row++)
        {
            int last = Positions - Rows + row;
            int[] favoured = [.. favourites(last)], others = [.. Enumerable.Range(0, last + 1).Except(favoured)];
            foreach (int i in favoured)
                attention[row * Positions + i] = (float)(share / favoured.Length);
            foreach (int i in others)
                attention[row * Positions + i] = (float)((1 - share) / others.Length);
        }
        return attention;
    }

    static FastGenHead Classify(float[] attention, double threshold = .95, int group = 1, int sinks = 1, int recent = 0) =>
        FastGen.Classify(attention, group, Rows, Positions, s_special, s_punctuation, threshold, sinks, recent);

    static readonly float[] s_onFirst = Attention(_ => [0]), s_onMany = Attention(last => Enumerable.Range(0, last + 1), 1);

    [Fact]
    public void Attention_to_the_first_token_is_special()
    {
        FastGenHead head = Classify(s_onFirst);
        Assert.Equal(FastGenClass.Special, head.Class);
        Assert.Equal([0], head.Required);
        Assert.Equal(.97, head.Mass, 4);
    }

    [Fact]
    public void Attention_to_punctuation()
    {
        FastGenHead head = Classify(Attention(_ => [11, 22, 33, 44, 55, 66, 77]));
        Assert.Equal(FastGenClass.Punctuation, head.Class);
        Assert.Equal([0, 11, 22, 33, 44, 55, 66, 77], head.Required);
    }

    [Fact]
    public void Attention_to_twenty_fixed_others_is_frequent()
    {
        int[] fixedOnes = [.. Enumerable.Range(0, 20).Select(i => 1 + 4 * i)];
        FastGenHead head = Classify(Attention(_ => fixedOnes));
        Assert.Equal(FastGenClass.Frequent, head.Class);
        Assert.Subset(head.Required.ToHashSet(), fixedOnes.ToHashSet());
        Assert.InRange(head.Required.Length, 38 - 7, 38);
    }

    /// <summary>A band that moves with the row, beside as many fixed positions as can be frequent, which have more.</summary>
    [Fact]
    public void Attention_to_the_last_ones_of_each_row_is_local()
    {
        float[] attention = Attention(last => [.. Enumerable.Range(last - 24, 25), .. Enumerable.Range(1, 30)]);
        for (int row = 0; row < Rows; row++)
            for (int i = 1; i <= 30; i++)
                attention[row * Positions + i] *= 1.2f;
        FastGenHead head = Classify(attention);
        Assert.Equal(FastGenClass.Local, head.Class);
        Assert.Equal([.. Enumerable.Range(0, 31), .. (int[])[33, 44, 55, 66], .. Enumerable.Range(70, 30)], head.Required);
    }

    [Fact]
    public void Attention_to_everything_is_full_and_so_is_a_threshold_of_one()
    {
        FastGenHead head = Classify(s_onMany);
        Assert.Equal((FastGenClass.Full, 100, 1.0), (head.Class, head.Required.Length, head.Mass));
        Assert.Equal(FastGenClass.Full, Classify(s_onFirst, 1).Class);
    }

    [Fact]
    public void None_that_qualifies_is_full() => Assert.Equal(FastGenClass.Full, Classify(s_onMany, 1.5).Class);

    [Fact]
    public void A_group_keeps_what_its_most_demanding_query_head_needs()
    {
        Assert.Equal(FastGenClass.Full, Classify([.. s_onFirst, .. s_onMany], group: 2).Class);
        Assert.Equal(FastGenClass.Special, Classify([.. s_onFirst, .. s_onFirst], group: 2).Class);
    }

    [Fact]
    public void What_covers_everything_is_full() =>
        Assert.Equal(FastGenClass.Full, Classify(s_onFirst, sinks: 60, recent: 40).Class);

    [Fact]
    public void Recent_positions_move_with_the_row()
    {
        FastGenHead head = Classify(Attention(last => [last - 1, last]), sinks: 0, recent: 2);
        Assert.Equal(FastGenClass.Special, head.Class);
        Assert.Equal([0, 98, 99], head.Required);
    }

    /// <summary>
    /// The distance that the paper leaves open: a row that is renormalised over what is kept differs by 2 · (1 − mass). Of (.5, .3, .2)
    /// the first two are kept: (.625, .375, 0), a distance of .4.
    /// </summary>
    [Fact]
    public void Mass_is_the_distance_to_the_renormalised_row()
    {
        float[] row = [.5f, .3f, .2f];
        FastGenHead head = FastGen.Classify(row, 1, 1, 3, [true, true, false], new bool[3], .79, 0, 0);
        double[] renormalised = [.5 / head.Mass, .3 / head.Mass, 0];
        Assert.Equal(.8, head.Mass, 6);
        Assert.Equal(.4, row.Zip(renormalised).Sum(pair => Math.Abs(pair.First - pair.Second)), 6);
        Assert.Equal(FastGenClass.Full, FastGen.Classify(row, 1, 1, 3, [true, true, false], new bool[3], .81, 0, 0).Class);
    }

    [Fact]
    public void Shapes_that_do_not_fit_are_refused() => Assert.Contains("expected 1 × 10 × 100",
        Assert.Throws<ArgumentException>(() => Classify(s_onFirst[..500])).Message, StringComparison.Ordinal);
}
