using Kvasir.KvCache.Blocks;
using Kvasir.KvCache.Lookups;

namespace Kvasir.Tests.KvCache;

/// <summary>Where a prompt's tokens came from, told as stretches that cover it exactly.</summary>
public sealed class CacheUseTests
{
    [Fact]
    public void Stretches_of_one_source_are_one_and_the_rest_was_computed()
    {
        CacheUse use = new() { Tokens = 100 };
        use.Reuse(Tier.Disk, 48, 64);
        use.Reuse(Tier.Device, 0, 16);
        use.Reuse(Tier.Device, 16, 32);
        Assert.Equal([new(0, 32, Tier.Device), new(32, 48, null), new(48, 64, Tier.Disk), new(64, 100, null)], use.Spans);
        Assert.Equal((32, 0, 16, 48), (use.Device, use.Host, use.Disk, use.Reused));
    }

    [Fact]
    public void Random_gains_and_losses_add_up_token_by_token() => CsCheck.Check.Sample(CsCheck.Gen.Int[0, 1 << 30], seed =>
    {
        var random = new Random(seed);
        var expected = new Tier?[200];
        CacheUse use = new() { Tokens = expected.Length };
        for (int step = 0; step < 30; step++)
        {
            int from = random.Next(expected.Length), to = random.Next(from, expected.Length + 1);
            Tier tier = (Tier)random.Next(3);
            bool gains = random.Next(2) == 0 && Array.TrueForAll(expected[from..to], source => source is null);
            if (gains)
                use.Reuse(tier, from, to);
            else
                use.Lose(from, to);
            expected.AsSpan(from, to - from).Fill(gains ? tier : null);
        }
        Assert.Equal(expected, use.Spans.SelectMany(span => Enumerable.Repeat(span.Tier, span.To - span.From)));
        Assert.All(use.Spans.Zip(use.Spans.Skip(1)),
            pair => Assert.True(pair.First.To == pair.Second.From && pair.First.Tier != pair.Second.Tier));
        Assert.Equal(expected.Count(source => source == Tier.Host), use.Host);
    });
}
