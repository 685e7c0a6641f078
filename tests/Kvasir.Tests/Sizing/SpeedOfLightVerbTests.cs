using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Kvasir.Tests.Cli;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Sizing;

/// <summary>The verb: what it prints, and what it says about flags that cannot be.</summary>
public sealed class SpeedOfLightVerbTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    string File(string name, string text) => _folder.Write(name, Encoding.UTF8.GetBytes(text));

    static JsonElement Steps(params string[] args) => Run(["limits", .. args, "--json"]).Json.GetProperty("steps");

    /// <summary>zeux's numbers, as in <see cref="SpeedOfLightTests"/>, from names alone.</summary>
    [Fact]
    public void Names_are_enough()
    {
        JsonElement[] steps =
            [.. Steps("mistral-7b-v0.1", "--hardware", "rtx-4090", "--batch", "1", "--position", "0,4096").EnumerateArray()];
        Assert.Equal([0.014108, 0.014641], steps.Select(step => Math.Round(step.GetProperty("seconds").GetDouble(), 6)));
        string answer = Run("limits", "mistral-7b-v0.1", "--hardware", "RTX-4090", "--batch", "1,8", "--context", "4096").Answer;
        Assert.All(["1,008.0 GB/s, 165.2 TOP/s bf16, 24.00 GiB", "critical batch 164", "14.641 ms", "512.0 MiB", "a tier is faster from"],
            fact => Assert.Contains(fact, answer, StringComparison.Ordinal));
    }

    [Fact]
    public void Markdown_has_tables_of_pipes()
    {
        string[] rows = [.. KvasirResult.Lines(Run("limits", "llama-3-8b", "--hardware", "h100-sxm", "--batch", "1,2", "--position", "8192",
            "--markdown").Answer).Where(line => line.StartsWith('|'))];
        Assert.Equal(4 + 3, rows.Length);
        Assert.Contains("| ----", rows[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Flags_change_what_they_say()
    {
        double one = Seconds(), two = Seconds("--devices", "2"), small = Seconds("--weights", "q8_0"),
            kv = Seconds("--kv", "q8_0", "--position", "8192");
        Assert.Equal((one / 2, one * 17 / 32), (two, small));
        Assert.Equal(one + (1L << 30) * 17 / 32 / 3350e9, kv, 1e-12);
        Assert.Equal("arithmetic", Steps("llama-3-8b", "--hardware", "h100-sxm", "--position", "0", "--batch", "200", "--math", "fp32")[0]
            .GetProperty("products_wait_for").GetString());

        static double Seconds(params string[] flags) =>
            Steps([.. (string[])["llama-3-8b", "--hardware", "h100-sxm", "--batch", "1"],
                .. flags.Contains("--position") ? flags : [.. flags, "--position", "0"]])[0].GetProperty("seconds").GetDouble();
    }

    [Fact]
    public void A_mixture_says_what_it_assumes()
    {
        string[] args = ["limits", "qwen3-30b-a3b", "--hardware", "h200", "--batch", "1,64", "--position", "0", "--json"];
        JsonElement uniform = Run(args).Json, biased = Run([.. args, "--experts", "8/512"]).Json;
        Assert.Contains("chooses 8 of 128 experts", uniform.GetProperty("notes")[0].GetString(), StringComparison.Ordinal);
        Assert.Contains("chooses 8 of 512 experts", biased.GetProperty("notes")[0].GetString(), StringComparison.Ordinal);
        Assert.Equal(Weights(uniform, 0), Weights(biased, 0));
        Assert.InRange(Weights(uniform, 1), 9 * Weights(uniform, 0), uniform.GetProperty("weight_bytes").GetDouble());
        Assert.InRange(Weights(biased, 1), 2 * Weights(biased, 0), 0.9 * Weights(uniform, 1));

        static double Weights(JsonElement report, int step) =>
            report.GetProperty("steps")[step].GetProperty("weight_bytes_read").GetDouble();
    }

    /// <summary>What is printed as hardware is a file for --hardware.</summary>
    [Fact]
    public void Hardware_may_come_from_a_file()
    {
        JsonElement known = Run("limits", "llama-3-8b", "--hardware", "tpu-v5e", "--json").Json;
        JsonElement read = Run("limits", "llama-3-8b", "--hardware",
            File("tpu.json", known.GetProperty("hardware").GetRawText()), "--json").Json;
        Assert.Equal(known.GetRawText(), read.GetRawText());
    }

    [Fact]
    public void This_machine_is_the_default_as_it_was_measured()
    {
        Limits.Keep(Path.GetDirectoryName(_folder["x"])!);
        JsonElement hardware = RunWith(Path.GetDirectoryName(_folder["x"])!, "limits", "saga", "--json").Json.GetProperty("hardware");
        Assert.Equal(("this", 11e9, 13e9, 14e9),
            (hardware.GetProperty("name").GetString(), Rate("memory_bytes_per_s"), Rate("fp32_per_s"), Rate("int8_per_s")));

        double Rate(string name) => hardware.GetProperty(name).GetDouble();
    }

    /// <summary>
    /// A decode at the very limit, by the weights and KV that the run read: 10^9 bytes and a position of 64 tokens in between.
    /// </summary>
    [Fact]
    public void A_benchmark_says_what_it_reached()
    {
        JsonElement spec = Run("limits", "llama-3-8b", "--hardware", "h100-sxm", "--batch", "1", "--position", "164", "--json").Json;
        double seconds = (1e9 + spec.GetProperty("steps")[0].GetProperty("kv_bytes_read").GetDouble()) / 11e9;
        JsonElement report = Run("limits", "llama-3-8b", "--bench", File("bench.json", Bench(0.5 / seconds)), "--json").Json,
            reached = report.GetProperty("reached");
        Assert.Equal(2, reached.GetArrayLength());
        Assert.Equal("decode 128 at 100", reached[0].GetProperty("test").GetString());
        Assert.Equal(0.5, reached[0].GetProperty("share").GetDouble(), 1e-9);
        Assert.Equal("prefill 128 at 0", reached[1].GetProperty("test").GetString());
        Assert.Equal("3 threads of a processor", report.GetProperty("hardware").GetProperty("name").GetString());
        Assert.Contains("50 %", Run("limits", "llama-3-8b", "--bench", _folder["bench.json"]).Answer, StringComparison.Ordinal);
    }

    static string Bench(double tokensPerS) => $$"""
        {"model":"some","threads":3,"kv":"f16","file_bytes":1,"weight_bytes":1000000000,"kv_bytes":1,"peak_memory_bytes":1,
        "machine":{"cpu":"a processor","logical_processors":4,"instruction_set":"avx2","operating_system":"any","memory_bytes":68719476736},
        "limits":{"threads":3,"read_bytes_per_s":11e9,"copy_bytes_per_s":12e9,"fp32_per_s":13e12,"int8_per_s":14e12,"int8_instructions":"test","measured":"2026-01-02T03:04:05+00:00"},
        "tests":[{{Row("decode 128 at 100", tokensPerS)}},{{Row("prefill 128 at 0", 1)}},{{Row("something else", 1)}}]}
        """;

    static string Row(string test, double tokensPerS) => FormattableString.Invariant(
        $$"""{"test":"{{test}}","tokens_per_s":{{tokensPerS:R}},"least_tokens_per_s":1,"most_tokens_per_s":1,"achieved":1,"limit":1,"unit":"GB/s","limit_name":"memory read","share":1}""");

    [Theory]
    [InlineData("tests", "$: not as `kvasir bench --json` prints it, expected all fields of a report")]
    [InlineData("kv", "kv: not as `kvasir bench --json` prints it, expected a type of keys and values")]
    [InlineData("weight_bytes", "$.weight_bytes: not as `kvasir bench --json` prints it, expected the JSON of a report")]
    public void A_file_that_is_no_benchmark_gets_one_line(string field, string expected)
    {
        JsonObject bench = JsonNode.Parse(Bench(1))!.AsObject();
        if (field == "tests")
            bench.Remove(field);
        else
            bench[field] = "q99";
        string path = File("bench.json", bench.ToJsonString());
        Run("limits", "llama-3-8b", "--bench", path).Fails(1, $"{path}: {expected}");
    }

    [Theory]
    [InlineData("--devices: needs a MODEL", "--devices", "2")]
    [InlineData("--no-disk: measures this machine, which goes without a MODEL", "saga", "--no-disk")]
    [InlineData("--hardware h1000: no such file or device, expected 'this', a JSON file, or one of h100-sxm",
        "llama-3-8b", "--hardware", "h1000")]
    [InlineData("m2-air: no figure for int8", "llama-3-8b", "--hardware", "m2-air", "--math", "int8")]
    [InlineData("--weights 'q99': expected a type of weights, one of f32", "llama-3-8b", "--weights", "q99")]
    [InlineData("--kv 'q4_k': expected a type of keys and values, one of f32, f16, bf16, fp8, int8, q8_0, q5_0, q4_0, int4, q3, q2",
        "llama-3-8b", "--kv", "q4_k")]
    [InlineData("--batch 0: expected numbers from 1", "llama-3-8b", "--batch", "1,0")]
    [InlineData("--position : expected numbers from 0", "llama-3-8b", "--position", "1,")]
    [InlineData("--experts 8: expected how many", "llama-3-8b", "--experts", "8")]
    [InlineData("llama-3-8b: a choice of 2 from 8 experts, expected none: the model has no experts", "llama-3-8b",
        "--hardware", "h200", "--experts", "2/8")]
    [InlineData("--math fp64: expected fp32, bf16 or int8", "llama-3-8b", "--math", "fp64")]
    public void Mistakes_of_usage_are_one_line(string expected, params string[] args) => Run(["limits", .. args]).Fails(2, expected);

    [Fact]
    public void A_bad_hardware_file_is_named_with_its_field()
    {
        string path = File("card.json", """{"memory_bytes_per_s": "fast"}""");
        Run("limits", "llama-3-8b", "--hardware", path).Fails(1, $"{path}: memory_bytes_per_s: \"fast\", expected a number");
    }
}
