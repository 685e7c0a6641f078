using CsCheck;
using Kvasir.Inference.Drafting;

namespace Kvasir.Tests.Drafting;

/// <summary>Where a text's end stood before, found as if all places had been compared.</summary>
public class PromptLookupTests
{
    [Fact]
    public void The_latest_of_the_longest_matches_is_found() =>
        Gen.Int[0, 5].Array[0, 60].Sample(tokens =>
        {
            PromptLookup lookup = new();
            for (int end = 0; end < tokens.Length; end++)
            {
                lookup.Append([tokens[end]]);
                Assert.Equal(Compared(tokens[..(end + 1)]), lookup.Find());
            }
        }, iter: 2000);

    static (int Place, int Common) Compared(int[] text)
    {
        (int Place, int Common) best = default;
        for (int place = text.Length - 1; place > 0; place--)
        {
            int common = 0;
            while (common < Math.Min(PromptLookup.Longest, place) && text[place - 1 - common] == text[^(common + 1)])
                common++;
            if (common >= PromptLookup.Least && common > best.Common)
                best = (place, common);
        }
        return best;
    }

    [Fact]
    public void What_repeats_itself_is_guessed_to_go_on_and_a_prediction_from_its_beginning()
    {
        Drafter repeats = new(new SpeculativeOptions { MostTokens = 7 }, [9, 1, 2, 3, 1, 2, 3], 20, new Acceptance());
        repeats.Propose([9, 1, 2, 3, 1, 2, 3], 7);
        Assert.Equal([1, 2, 3, 1, 2, 3, 1], repeats.Draft);

        int[] prompt = [50, 51], prediction = [1, 2, 3, 4, 5];
        Drafter predicted = new(new SpeculativeOptions { Prediction = prediction }, prompt, 20, new Acceptance());
        predicted.Propose([.. prompt, 1], 24);
        Assert.Equal(prediction.AsSpan(1), predicted.Draft);
        predicted.Propose([.. prompt, 1, 9], 24);
        Assert.True(predicted.Draft.IsEmpty); // it is another text
        predicted.Propose([.. prompt, 1, 9, 3, 4], 24);
        Assert.Equal([5], predicted.Draft); // and the same again
    }

    [Fact]
    public void Longer_matches_are_believed_more_and_those_that_mislead_less()
    {
        Acceptance all = new(), one = new(all);
        Assert.True(one.Chance(2) < one.Chance(8) && one.Chance(8) < one.Chance(40));
        double before = one.Chance(4);
        for (int i = 0; i < 50; i++)
            one.Tell(4, isRight: false);
        Assert.True(one.Chance(4) < before / 10);
        Assert.True(new Acceptance(all).Chance(4) < before / 2, "others learn of it");
        Assert.True(new Acceptance(all).Chance(8) > before, "of this length alone");
    }

    [Fact]
    public void The_cost_of_rows_is_what_passes_took()
    {
        RowCost cost = new();
        for (int i = 0; i < 400; i++)
        {
            int drafted = i % 8;
            cost.Tell(1, drafted, TimeSpan.FromMilliseconds(50 * (1 + 0.2 * drafted)));
            cost.Tell(4, drafted, TimeSpan.FromMilliseconds(60 * (1 + 0.01 * drafted)));
        }
        Assert.Equal(0.2, cost.PerRow(1), 0.01);
        Assert.Equal(0.01, cost.PerRow(3), 0.005); // as four
        Assert.Equal(new RowCost().PerRow(9), cost.PerRow(9)); // nobody has seen that many
        for (int i = 0; i < 64; i++)
            cost.Tell(1, 8, TimeSpan.FromMilliseconds(50));
        Assert.True(cost.WantsPlain(1), "what drafts cost is known beside plain passes alone");
    }
}
