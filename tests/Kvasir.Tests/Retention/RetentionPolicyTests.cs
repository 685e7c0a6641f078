using CsCheck;
using Kvasir.KvCache.Codecs;
using Kvasir.KvCache.Retention;

namespace Kvasir.Tests.Retention;

/// <summary>Policies as users write them.</summary>
public class RetentionPolicyTests
{
    [Theory]
    [InlineData("25%", "replay:25%,alloc=global,sinks=4,recent=4,min=512,type-k=q8_0,type-v=q8_0 v1")]
    [InlineData("512", "replay:512,alloc=global,sinks=4,recent=4,min=512,type-k=q8_0,type-v=q8_0 v1")]
    [InlineData("64MiB", "replay:64MiB,alloc=global,sinks=4,recent=4,min=512,type-k=q8_0,type-v=q8_0 v1")]
    [InlineData("replay:12.50%", "replay:12.5%,alloc=global,sinks=4,recent=4,min=512 v1")]
    [InlineData("replay:1.5KiB", "replay:1536B,alloc=global,sinks=4,recent=4,min=512 v1")]
    [InlineData("REPLAY:2gib,ALLOC=Layer", "replay:2GiB,alloc=layer,sinks=4,recent=4,min=512 v1")]
    [InlineData("window:1020", "window:1020+4,min=512 v1")]
    [InlineData("window:1020+0,min=0", "window:1020+0,min=0 v1")]
    [InlineData("quest:12.50%", "quest:12.5%,sinks=4,recent=64,min=512 v1")]
    [InlineData("QUEST:512,min=0,recent=32", "quest:512,sinks=4,recent=32,min=0 v1")]
    [InlineData("quest:eps=1E-4", "quest:eps=0.0001,sinks=4,recent=64,min=512 v1")]
    [InlineData("random:25%", "random:25%,alloc=uniform,sinks=4,recent=32,min=512 v1")]
    [InlineData("h2o:64", "h2o:64,alloc=uniform,sinks=4,recent=32,min=512 v1")]
    [InlineData("snapkv:25%,recent=16", "snapkv:25%,alloc=uniform,sinks=4,recent=16,min=512 v1")]
    [InlineData("expected:25%,alloc=funnel", "expected:25%,alloc=funnel,sinks=4,recent=8,min=512 v1")]
    [InlineData("pyramid:64", "snapkv:64,alloc=pyramid,sinks=4,recent=8,min=512 v1")]
    [InlineData("pyramidkv:64", "snapkv:64,alloc=pyramid,sinks=4,recent=8,min=512 v1")]
    [InlineData("funnel:25%,sinks=0", "snapkv:25%,alloc=funnel,sinks=0,recent=8,min=512 v1")]
    [InlineData("uniform:25%", "replay:25%,alloc=uniform,sinks=4,recent=4,min=512 v1")]
    [InlineData("layer:25%", "replay:25%,alloc=layer,sinks=4,recent=4,min=512 v1")]
    [InlineData("global:25%", "replay:25%,alloc=global,sinks=4,recent=4,min=512 v1")]
    [InlineData("fastgen:0.95", "fastgen:0.95,sinks=4,recent=32,min=512 v1")]
    [InlineData("fastgen:1", "fastgen:1,sinks=4,recent=32,min=512 v1")]
    [InlineData("fastgen:.9+pyramid:25%", "fastgen:0.9+pyramid:25%,sinks=4,recent=8,min=512 v1")]
    [InlineData("fastgen:0.9+global:64MiB", "fastgen:0.9+global:64MiB,sinks=4,recent=32,min=512 v1")]
    [InlineData("25%,type=q8_0", "replay:25%,alloc=global,sinks=4,recent=4,min=512,type-k=q8_0,type-v=q8_0 v1")]
    [InlineData("25%,type-v=q4_0,rotate=off", "replay:25%,alloc=global,sinks=4,recent=4,min=512,type-k=q8_0,type-v=q4_0,rotate=off v1")]
    public void What_is_written_becomes_a_canonical_text(string written, string canonical) =>
        Assert.Equal(canonical, RetentionPolicy.Parse(written)!.ToString());

    [Fact]
    public void No_policy_is_written_none() => Assert.Null(RetentionPolicy.Parse("none"));

    [Fact]
    public void Several_have_commas_between_as_their_modifiers_have() => Assert.Equal(
        [null, "replay:25%,alloc=layer,sinks=4,recent=4,min=0 v1", "window:60+4,min=512 v1"],
        RetentionPolicy.ParseSeveral("none,replay:25%,alloc=layer,min=0,window:60").Select(policy => policy?.ToString()));

    /// <summary>Every text that is read is read again from what is printed of it, to an equal policy.</summary>
    [Fact]
    public void Canonical_texts_are_read_as_they_are_written() =>
        Gen.Select(Any, Modifiers).Sample((form, modifiers) =>
        {
            RetentionPolicy policy = RetentionPolicy.Parse(form + modifiers)!;
            string canonical = policy.ToString();
            Assert.EndsWith(" v1", canonical, StringComparison.Ordinal);
            Assert.Equal(policy, RetentionPolicy.Parse(canonical[..^3]));
        }, iter: 2000);

    [Theory]
    [InlineData("", "expected none, BUDGET"), InlineData("keep:5", "expected none, BUDGET"), InlineData(":5", "expected none, BUDGET")]
    [InlineData("fastgen:0.9+pyramid", "expected none, BUDGET"), InlineData("window:1+2+3", "expected none, BUDGET")]
    [InlineData("fastgen:0.9+window:5", "expected none, BUDGET"), InlineData("replay", "expected none, BUDGET")]
    [InlineData("replay:0%", "a budget of '0%'"), InlineData("replay:100.1%", "a budget of '100.1%'"), InlineData("0", "a budget of '0'")]
    [InlineData("replay:-5", "a budget of '-5'"), InlineData("replay:", "a budget of ''"), InlineData("h2o:1e3", "a budget of '1e3'")]
    [InlineData("replay:0.4B", "a budget of '0.4b'"), InlineData("replay:9000000TiB", "a budget of '9000000tib'")]
    [InlineData("replay:99999999999", "a budget of '99999999999'"), InlineData("replay:%", "a budget of '%'")]
    [InlineData("replay:7", "7 tokens per head, expected at least the 4 sinks and 4 recent ones")]
    [InlineData("pyramid:11", "11 tokens per head, expected at least the 4 sinks and 8 recent ones")]
    [InlineData("64,sinks=62", "64 tokens per head, expected at least the 62 sinks and 4 recent ones")]
    [InlineData("fastgen:0", "a threshold of '0', expected above 0 and at most 1"), InlineData("fastgen:1.1", "a threshold of '1.1'")]
    [InlineData("fastgen:nan", "a threshold of 'nan'"), InlineData("fastgen:-1", "a threshold of '-1'")]
    [InlineData("window:0", "'0' recent tokens, expected 1 to"), InlineData("window:", "'' recent tokens")]
    [InlineData("window:5+x", "'x' sinks"), InlineData("window:99999999999", "'99999999999' recent tokens"), InlineData("window:5\n", "'5?'")]
    [InlineData("25%,keep=5", "unknown modifier 'keep=5', expected alloc=, sinks="), InlineData("25%,", "unknown modifier ''")]
    [InlineData("25%,kept=50%", "unknown modifier 'kept=50%'"), InlineData("none,min=5", "expected none, BUDGET")]
    [InlineData("25%,sinks=4,sinks=4", "'sinks' twice"), InlineData("25%,min=x", "'x' tokens of the shortest prefix")]
    [InlineData("25%,alloc=best", "alloc='best', expected uniform, layer"), InlineData("25%,rotate=yes", "rotate='yes', expected on or off")]
    [InlineData("window:5,alloc=layer", "alloc= where the policy has its own schedule or none")]
    [InlineData("fastgen:0.9,alloc=layer", "alloc= where"), InlineData("pyramid:25%,alloc=layer", "alloc= where")]
    [InlineData("window:5,sinks=2", "sinks= beside a window, expected window:N+SINKS")]
    [InlineData("quest:", "'', expected a share of the pages"), InlineData("quest:0%", "'0%', expected a share of the pages above 0%")]
    [InlineData("quest:100.5%", "'100.5%', expected a share"), InlineData("quest:64MiB", "'64mib', expected a share")]
    [InlineData("quest:eps=0", "eps='0', expected above 0 and below 1"), InlineData("quest:eps=1", "eps='1', expected above 0 and below 1")]
    [InlineData("quest:eps=-1e-4", "eps='-1e-4'"), InlineData("quest:eps=nan", "eps='nan'"), InlineData("quest:eps=1e-40", "eps='1e-40'")]
    [InlineData("quest:25%,type=q8_0", "'type=q8_0' beside quest, which keeps everything as it is, expected sinks=, recent= or min=")]
    [InlineData("quest:25%,alloc=layer", "'alloc=layer' beside quest"), InlineData("quest:eps=0.1,rotate=on", "'rotate=on' beside quest")]
    [InlineData("quest:25%,eps=0.1", "'eps=0.1' beside quest"), InlineData("quest:16", "16 tokens per head, expected at least the 4 sinks and 64")]
    [InlineData("25%,type=q1", "unknown codec 'q1', expected f32, ")]
    public void What_is_no_policy_is_refused_in_one_line(string text, string message)
    {
        string said = Assert.Throws<ArgumentException>(() => RetentionPolicy.Parse(text)).Message;
        Assert.StartsWith("retention '", said, StringComparison.Ordinal);
        Assert.Contains(message, said, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', said);
    }

    [Fact]
    public void Whatever_is_written_is_read_or_refused() =>
        Gen.Char["0159%+:,=.-kMiBnovefastgenpyramidwindowreplayquestps\n "].Array[0, 24].Sample(letters =>
        {
            try
            {
                RetentionPolicy.Parse(new string(letters));
            }
            catch (ArgumentException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }, iter: 5000);

    [Fact]
    public void Only_the_last_rows_of_the_prompt_make_a_policy_aware()
    {
        Assert.True(RetentionPolicy.Parse("snapkv:25%")!.IsAware);
        Assert.True(RetentionPolicy.Parse("pyramid:25%")!.IsAware);
        Assert.False(RetentionPolicy.Parse("replay:25%,alloc=pyramid")!.IsAware);
        Assert.False(RetentionPolicy.Parse("25%")!.IsAware);
    }

    static Gen<string> Budget => Gen.OneOf(
        Gen.Decimal[.01m, 100].Select(share => FormattableString.Invariant($"{decimal.Round(share, 4) + .0001m - .0001m}%")),
        Gen.Int[100, 1 << 30].Select(tokens => $"{tokens}"),
        Gen.Select(Gen.Int[1, 2000], Prefixes.OneOf("B", "KiB", "MiB", "GiB", "TiB"), (size, unit) => $"{size}{unit}"));

    static Gen<string> Any => Gen.OneOf(
        Gen.Select(Prefixes.OneOf("random", "h2o", "snapkv", "expected", "replay", "pyramid", "funnel", "uniform", "layer", "global",
            "fastgen:0.91+pyramid", "fastgen:0.123456789+layer", "fastgen:1+global"), Budget, (name, budget) => $"{name}:{budget}"),
        Gen.Select(Gen.Int[1, 5000], Gen.Int[0, 50], (last, sinks) => $"window:{last}+{sinks}"),
        Gen.Double[.0001, 1].Select(threshold => FormattableString.Invariant($"fastgen:{threshold:0.######}")));

    static Gen<string> Modifiers => Gen.Select(Prefixes.OneOf("", ",min=0", ",min=4096"), Prefixes.OneOf("", ",rotate=on", ",rotate=off"),
        Prefixes.OneOf([.. KvCodecs.Names]), Gen.Int[0, 2], (min, rotate, codec, which) =>
            min + rotate + (which == 0 ? "" : which == 1 ? $",type={codec}" : $",type-k={codec}"));
}
