using System.Text.Json;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary><c>kvasir estimate</c> as users run it.</summary>
public class EstimateTests
{
    [Fact]
    public void The_factors_and_the_table_are_printed()
    {
        string text = Run("estimate", "llama-3-8b", "-c", "8k", "-b", "1,16", "--memory", "80GiB", "--host", "64GiB", "--disk", "1TiB", "--flops", "400T").Answer;
        Assert.All(
            ["131,072 = 32 layers that own a cache × 8 KV heads × (128 of K + 128 of V) × 2 bytes", "GQA", "544.0 MiB", "16.00 GiB", "524,288 tokens in whole blocks", "3.25 GiB/s", "14.96 GiB of weights"],
            part => Assert.Contains(part, text, StringComparison.Ordinal));
        Assert.DoesNotContain("GB", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_says_everything_in_bytes()
    {
        JsonElement json = Run("estimate", "gemma-3n-e4b", "-c", "32k", "--memory", "1GiB", "--weights", "512MiB", "--json").Json;
        JsonElement size = json.GetProperty("sizes")[0];
        Assert.Equal(285_212_672, size.GetProperty("bytes").GetProperty("bf16").GetInt64());
        Assert.Equal(499_122_176, size.GetProperty("read_bytes").GetInt64()); // sharing saves room and no reading
        Assert.Equal(1, json.GetProperty("memory").GetProperty("sequences")[0].GetProperty("sequences").GetInt32());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("parameters").ValueKind);
    }

    [Fact]
    public void Csv_and_markdown_have_a_line_for_each_size()
    {
        string[] csv = Run("estimate", "saga", "-c", "1k,2k", "--csv").Answer.TrimEnd().Split('\n');
        Assert.Equal(1 + 2 * 5, csv.Length);
        Assert.All(csv, line => Assert.Equal(6, line.Count(letter => letter == ',')));
        string markdown = Run("estimate", "llama-3-8b", "--retention", "pyramidkv:128", "--markdown").Answer;
        Assert.Contains("| 8,192 | 1 | 16.0 MiB | 8.0 MiB | 8.5 MiB | 4.5 MiB | 1.56 % | 16.0 MiB |", markdown, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("the nearest are", "llama-9")]
    [InlineData("--context 102400: llama-3-8b was trained for 8192 tokens; --beyond-context", "llama-3-8b", "-c", "100k")]
    [InlineData("--context 'x': expected", "llama-3-8b", "-c", "x")]
    [InlineData("--flops '0': expected", "llama-3-8b", "--flops", "0")]
    [InlineData("is no size", "llama-3-8b", "--memory", "80GB")]
    [InlineData("--weights 'q9': expected a size such as 20GiB, or a type of weights, one of f32", "llama-3-8b", "--weights", "q9")]
    [InlineData("the parameters of gemma-3n-e4b are not known", "gemma-3n-e4b", "--weights", "q4_0")]
    [InlineData("the active parameters of gemma-3n-e4b are not known", "gemma-3n-e4b", "--flops", "1T")]
    [InlineData("tensor parallelism over 3 devices", "llama-3-8b", "--tp", "3")]
    [InlineData("retention 'h2o'", "llama-3-8b", "--retention", "h2o")]
    [InlineData("--kv-type 'int3': expected a type of keys and values", "llama-3-8b", "--kv-type", "int3")]
    [InlineData("choose one", "llama-3-8b", "--json", "--csv")]
    public void What_makes_no_sense_is_refused_in_one_line(string message, params string[] args) => Run(["estimate", .. args]).Fails(2, message);

    [Fact]
    public void Beyond_the_context_if_told() =>
        Assert.Equal(13_421_772_800, Run("estimate", "llama-3-8b", "-c", "100k", "--beyond-context", "--json").Json.GetProperty("sizes")[0].GetProperty("bytes").GetProperty("f16").GetInt64());
}
