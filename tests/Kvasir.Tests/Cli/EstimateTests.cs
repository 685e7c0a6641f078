using System.Text.Json;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary><c>kvasir estimate</c> as users run it.</summary>
public class EstimateTests
{
    [Fact]
    public void The_factors_and_the_table_are_printed()
    {
        string text = Run("estimate", "llama-3-8b", "-c", "8k", "-b", "1,16", "--memory", "80GiB", "--host", "64GiB", "--disk",
            "1TiB", "--flops", "400T").Answer;
        Assert.All(
            ["131,072 = 32 layers that own a cache × 8 KV heads × (128 of K + 128 of V) × 2 bytes", "GQA", "544.0 MiB", "16.00 GiB",
                "524,288 tokens in whole blocks", "3.25 GiB/s", "14.96 GiB of weights"],
            part => Assert.Contains(part, text, StringComparison.Ordinal));
        Assert.DoesNotContain("GB", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_says_everything_in_bytes()
    {
        JsonElement json = Run("estimate", "gemma-3n-e4b", "-c", "32k", "--memory", "1GiB", "--weights", "512MiB", "--json").Json;
        JsonElement size = json.GetProperty("sizes")[0].GetProperty("types").GetProperty("bf16");
        Assert.Equal(285_212_672, size.GetProperty("bytes").GetInt64());
        Assert.Equal(499_122_176, size.GetProperty("read_bytes").GetInt64()); // sharing saves room and no reading
        Assert.Equal(1, json.GetProperty("memory").GetProperty("sequences")[0].GetProperty("sequences").GetInt32());
        Assert.Equal(JsonValueKind.Null, json.GetProperty("parameters").ValueKind);
    }

    /// <summary>
    /// Saga, by hand: a block of 16 tokens takes 6 layers × 2 heads × 64 elements × 2 bytes × 16 = 24,576. Of a pool of 1 MiB the ring
    /// takes a stretch of 33 blocks, of the layer's page each, twice: 31 are left. 2 MiB of host hold 85, and the disk the rest.
    /// </summary>
    [Fact]
    public void What_is_longer_than_the_pool_lies_in_host_and_disk_and_what_has_no_room_is_named()
    {
        string[] tiers = ["--kv-device", "1MiB", "--kv-host", "2MiB", "--kv-disk"], all = [.. tiers, "4MiB", "--json"];
        JsonElement[] rows =
            [.. Run(["estimate", "saga", "-c", "256,1k,4k", .. all]).Json.GetProperty("streaming").EnumerateArray()];
        Assert.Equal([(256, 0, 0, 0), (496, 544, 0, 270_336), (496, 1360, 2256, 270_336)], rows.Select(row =>
            (Of(row, "pool_tokens"), Of(row, "host_tokens"), Of(row, "disk_tokens"), Of(row, "ring_bytes"))));
        Assert.Equal([0, 0, 141 * 24_576], rows.Select(row => Of(row, "disk_bytes_read")));
        Assert.All(rows, row => Assert.Equal(JsonValueKind.Null, row.GetProperty("problem").ValueKind));
        Assert.Contains("are 2,433,024 too few", Run(["estimate", "saga", "-c", "4k", .. tiers, "1MiB"]).Answer, StringComparison.Ordinal);

        static int Of(JsonElement row, string name) => row.GetProperty(name).GetInt32();
    }

    [Fact]
    public void Csv_and_markdown_have_a_line_for_each_size()
    {
        string[] csv = Run("estimate", "saga", "-c", "1k,2k", "--csv").Answer.TrimEnd().Split('\n');
        Assert.Equal(1 + 2 * 5, csv.Length);
        Assert.All(csv, line => Assert.Equal(8, line.Count(letter => letter == ',')));
        string markdown = Run("estimate", "llama-3-8b", "--retention", "pyramidkv:128", "--markdown").Answer;
        Assert.Contains("| 8,192 | 1 | 18.0 MiB | 9.0 MiB | 9.6 MiB | 5.1 MiB | 1.56 % | 16.0 MiB |", markdown, StringComparison.Ordinal);
    }

    /// <summary>
    /// Gemma 3n E4B, 1000 tokens, two sequences, by hand: a token has 2 heads × (256 of K + 256 of V) in a layer; of the 20
    /// layers that own a cache 16 slide over 512 tokens, of the 35 that read one 28 do. Blocks hold 63 × 16 tokens of 4
    /// layers, and of the others the 33 × 16 in which a window may lie, in whole pages as it happens.
    /// </summary>
    [Theory, InlineData("f16", 2048), InlineData("fp8", 1024), InlineData("q4_0", 576)]
    public void Csv_has_what_is_kept_and_allocated_and_read_of_every_type(string type, long token)
    {
        string[] lines = Run("estimate", "gemma-3n-e4b", "-c", "1000", "-b", "2", "--csv").Answer.TrimEnd().Split('\n');
        Assert.Equal("model,retention,devices,context,batch,kv_type,bytes,allocated_bytes,read_bytes", lines[0].TrimEnd());
        long kept = 2 * token * (16 * 512 + 4 * 1000), read = 2 * token * (28 * 512 + 7 * 1000);
        long allocated = 2 * token * 16 * (4 * 63 + 16 * 33);
        Assert.Contains($"gemma-3n-e4b,everything,1,1000,2,{type},{kept},{allocated},{read}", lines.Select(line => line.TrimEnd()));
    }

    [Fact]
    public void Csv_has_whole_slots_under_a_policy() =>
        Assert.Contains("llama-3-8b,\"window:60+4,min=512 v1\",1,8192,1,f16,8388608,8388608,8388608",
            Run("estimate", "llama-3-8b", "-c", "8k", "--kv-retain", "window:60+4", "--csv").Answer, StringComparison.Ordinal);

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
    public void What_makes_no_sense_is_refused_in_one_line(string message, params string[] args) =>
        Run(["estimate", .. args]).Fails(2, message);

    [Fact]
    public void Beyond_the_context_if_told() =>
        Assert.Equal(13_421_772_800, Run("estimate", "llama-3-8b", "-c", "100k", "--beyond-context", "--json").Json.GetProperty("sizes")[0]
            .GetProperty("types").GetProperty("f16").GetProperty("bytes").GetInt64());
}
