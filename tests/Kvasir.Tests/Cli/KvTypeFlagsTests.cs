using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>How keys and values are stored is said by flags, and part of what is found again.</summary>
public sealed class KvTypeFlagsTests : IDisposable
{
    const string Story = "Once upon a time there was a smith who lived by the cold lake with an old dog and a bowl";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void What_was_stored_one_way_is_found_by_who_asks_for_it()
    {
        string cache = _folder["cache"];
        string[] types = ["--kv-type-k", "q8_0", "--kv-type-v", "q4_0"];
        RunWith(cache, ["run", "--raw", Story, "-n", "1", .. types]).Succeeds();
        Assert.Contains(" from disk", RunWith(cache, ["run", "--raw", Story, "-n", "1", "-v", .. types]).Errors, StringComparison.Ordinal);
        Assert.DoesNotContain(" from disk", RunWith(cache, ["run", "--raw", Story, "-n", "1", "-v", "--no-persist"]).Errors,
            StringComparison.Ordinal);
        Assert.Contains("Once upon", RunWith(cache, ["kv", "tree", "--text"]).Answer, StringComparison.Ordinal);
        Assert.DoesNotContain(" from disk", RunWith(cache, ["kv", "lookup", "--raw", Story, "--kv-rotate", "off", .. types]).Answer,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--kv-type 'q9': expected one of f32, f16, bf16, q8_0, q5_0, q4_0, q3, q2", "--kv-type", "q9")]
    [InlineData("--kv-type-v 'Q4_0': expected one of", "--kv-type-v", "Q4_0")]
    [InlineData("--kv-rotate 'maybe': expected on or off", "--kv-rotate", "maybe")]
    [InlineData("--kv-rotate off: q4_0+h is rotated, expected on", "--kv-type", "q4_0+h", "--kv-rotate", "off")]
    public void Types_that_there_are_not_are_refused(string message, params string[] args) =>
        Run(["run", "Hello", .. args]).Fails(2, message);

    [Theory]
    [InlineData("--kv-type q4_0: q4_0 stores rows in groups of 32 values; a row of 16 is not made of whole groups; expected one of f32, f16, "
        + "bf16 for the keys of", "--kv-type", "q4_0")]
    [InlineData("--kv-type-v q2: q2 stores rows in groups of 32 values; a row of 15 is", "--kv-type-v", "q2")]
    [InlineData("--kv-host-type q8_0: q8_0 stores rows in groups of 32 values; a row of 16 is", "--kv-host-type", "q8_0")]
    [InlineData("--kv-rotate on: f16+h mixes values in pairs at least; a row of 15 is odd, expected an even one; expected off for the "
        + "values of", "--kv-rotate", "on")]
    public void Types_that_a_model_cannot_have_are_refused(string message, params string[] args)
    {
        string tiny = (TinyModel.Llama with { ValueDim = 15 }).WriteTo(_folder["tiny.gguf"]);
        Run(["run", "--raw", "Hello", "-m", tiny, .. args]).Fails(2, message);
    }

    [Fact]
    public void Sizes_know_both()
    {
        var json = Run("estimate", "saga", "-c", "1k", "--kv-type-k", "q8_0", "--kv-type-v", "q5", "--json").Json;
        Assert.Equal("q8_0/q5_0", json.GetProperty("kv_type").GetString());
        Assert.Equal(1024 * 6 * 2 * (34 + 22),
            json.GetProperty("sizes")[0].GetProperty("types").GetProperty("q8_0/q5_0").GetProperty("bytes").GetInt64());
        Run("estimate", "saga", "--kv-type-v", "int3").Fails(2, "--kv-type-v 'int3': expected a type of keys and values");
        Assert.Contains("× 34/32 and 18/32 bytes", Run("estimate", "saga", "--kv-type-k", "q8_0", "--kv-type-v", "q4_0").Answer,
            StringComparison.Ordinal);
    }
}
