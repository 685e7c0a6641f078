using System.Text.Json;
using Kvasir.Tests.Fixtures;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary>Measuring, and the models to measure with.</summary>
public sealed class BenchTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void Bench_prints_speeds_beside_limits()
    {
        JsonElement report = Run("bench", "-p", "32", "-n", "4", "-d", "16", "-r", "2", "--json").Json;
        Assert.Equal("Kvasir Saga", report.GetProperty("model").GetString());
        JsonElement[] tests = [.. report.GetProperty("tests").EnumerateArray()];
        Assert.Equal(["prefill 32 at 0", "decode 4 at 0", "prefill 32 at 16", "decode 4 at 16"],
            tests.Select(test => test.GetProperty("test").GetString()));
        Assert.InRange(report.GetProperty("peak_memory_bytes").GetInt64(),
            OperatingSystem.IsLinux() ? report.GetProperty("file_bytes").GetInt64() : 0, 2L << 30);
        foreach (JsonElement test in tests)
        {
            bool isDecode = test.GetProperty("test").GetString()!.StartsWith("decode", StringComparison.Ordinal);
            Assert.Equal(isDecode ? "memory read meanwhile" : "int8 peak, attention fp32 peak", test.GetProperty("limit_name").GetString());
            double median = test.GetProperty("tokens_per_s").GetDouble();
            Assert.InRange(median, test.GetProperty("least_tokens_per_s").GetDouble(), test.GetProperty("most_tokens_per_s").GetDouble());
            Assert.Equal(test.GetProperty("achieved").GetDouble() / test.GetProperty("limit").GetDouble(),
                test.GetProperty("share").GetDouble(), 1e-9);
        }
    }

    [Fact]
    public void Other_weights_can_be_measured()
    {
        KvasirResult result = RunWith(_folder["cache"], "bench", "serve", "--weights", "q4_0", "-n", "16", "-r", "1", "--json");
        Assert.Contains("weights in q4_0: ", result.Errors, StringComparison.Ordinal);
        Assert.Equal(16, result.Json.GetProperty("tokens").GetInt32());
    }

    [Fact]
    public void A_synthetic_model_is_written_shown_and_run()
    {
        string path = _folder["synth.gguf"];
        JsonElement report = Run("synth", "smollm2-135m@q4_k_m", path, "--json").Json;
        Assert.Equal(new FileInfo(path).Length, report.GetProperty("output_bytes").GetInt64());
        Assert.Equal(30, Run("show", path, "--json").Json.GetProperty("config").GetProperty("layers").GetInt32());
        Assert.Equal(2, Run("run", "-m", path, "--raw", "hello", "-n", "2", "--json").Json.GetProperty("completion_tokens").GetInt32());
    }

    [Theory]
    [InlineData("shape 'gpt-9': expected one of gemma-3-1b", "synth", "gpt-9", "out.gguf")]
    [InlineData("type 'q9': expected one of", "synth", "smollm2-135m@q9", "out.gguf")]
    [InlineData("shape 'x': expected one of", "bench", "-m", "synth:x")]
    [InlineData("--weights: synth:llama-3.2-1b@q8_0 has no others than it is made with", "bench", "kv", "--weights", "q4_0")]
    [InlineData("--weights: synth:x has no others than it is made with", "bench", "serve", "-m", "synth:x", "--weights", "q4_0")]
    [InlineData("--threads 0: expected 1 to", "bench", "-t", "0")]
    [InlineData("--prompt -1: expected 0 to", "bench", "-p", "-1")]
    [InlineData("--prompt 256,512: expected a whole number", "bench", "-p", "256,512")]
    [InlineData("--prompt ten: expected a whole number", "bench", "kv", "-p", "ten")]
    [InlineData("--kv-type 'q9': expected one of f32", "bench", "kv", "-m", "saga", "-p", "256", "--kv-type", "q9")]
    [InlineData("--kv-type-v 'q9': expected one of f32", "bench", "serve", "-m", "saga", "--kv-type-v", "q9")]
    [InlineData("--kv-rotate 'x': expected on or off", "bench", "serve", "-m", "saga", "--kv-rotate", "x")]
    public void What_cannot_be_measured_is_a_mistake_of_usage(string message, params string[] args) => Run(args).Fails(2, message);
}
