using System.Text.Json;
using static Kvasir.Tests.Cli.KvasirProcess;

namespace Kvasir.Tests.Cli;

/// <summary><c>kvasir plan</c> as its user sees it.</summary>
public sealed class PlanTests
{
    const string Traffic = "chat:users=60,turns=4,over=120,think=20,system=500,question=100,answer=60";

    static readonly string[] s_model = ["-m", "llama-3-8b", "--hardware", "rtx-4090", "--weights", "q8_0"];

    [Fact]
    public void A_plan_says_what_to_buy_and_what_else_was_tried()
    {
        JsonElement plan =
            Run(["plan", Traffic, .. s_model, "--ttft", "800ms", "--price", "0.5", "--host", "64GiB", "--disk", "0", "--json"]).Json;
        JsonElement best = plan.GetProperty("best");
        Assert.True(best.GetProperty("is_enough").GetBoolean());
        Assert.InRange(best.GetProperty("ttft_p90_s").GetDouble(), 0.001, 0.8);
        Assert.Equal(0.5 * best.GetProperty("machines").GetInt32() + best.GetProperty("machines").GetInt32() * best.GetProperty(
            "host_bytes").GetInt64() / (double)(1 << 30) * 0.003, best.GetProperty("price_per_hour").GetDouble(), 9);
        Assert.Equal(2, plan.GetProperty("tried").GetArrayLength()); // no host memory, and the 16 GiB that have room for all there is
        Assert.Equal(131_072, plan.GetProperty("bytes_per_token").GetInt64());
        KvasirResult text = Run(["plan", Traffic, .. s_model, "--ttft", "800ms", "--disk", "0"]);
        Assert.Contains("recommended: ", text.Answer, StringComparison.Ordinal);
        Assert.Contains("half as much again of traffic", text.Answer, StringComparison.Ordinal);
    }

    [Fact]
    public void A_plan_with_a_store_says_what_it_saves()
    {
        const string more = "chat:users=150,turns=6,over=150,think=20,system=500,question=300,answer=60";
        string[] plan = ["plan", more, .. s_model, "--ttft", "200ms", "--price", "5", "--host", "0", "--disk", "0", "--remote",
            "64GiB@20GiB/s,1ms", "--remote-price", "0.02"];
        KvasirResult text = Run(plan);
        Assert.Contains("a store of 64 GiB", text.Answer, StringComparison.Ordinal);
        Assert.Contains("the store saves ", text.Answer, StringComparison.Ordinal);
        JsonElement best = Run([.. plan, "--json"]).Json.GetProperty("best");
        Assert.Equal(64L << 30, best.GetProperty("remote_bytes").GetInt64());
        Assert.Equal(5 * best.GetProperty("machines").GetInt32() + 64 * 0.02 / 720, best.GetProperty("price_per_hour").GetDouble(), 9);
        Run(["plan", Traffic, .. s_model, "--remote-price", "1"])
            .Fails(2, "--remote-price '1': expected --remote with the size of the store");
    }

    [Fact]
    public void A_target_out_of_reach_is_a_failure_with_the_nearest_that_there_is()
    {
        KvasirResult result = Run(["plan", Traffic, .. s_model, "--ttft", "1ms", "--most-machines", "2", "--host", "0", "--disk", "0"]);
        Assert.Equal(1, result.ExitCode);
        Assert.Contains("nothing that was tried is enough: at best 2 machines", result.Output, StringComparison.Ordinal);
    }

    /// <summary>As many bytes as <c>estimate</c> says, which are those that the engine takes.</summary>
    [Fact]
    public void A_policy_fits_more_and_steps_faster()
    {
        string[] policy = ["--kv-retain", "25%"];
        JsonElement plan = Run(["plan", Traffic, .. s_model, .. policy, "--ttft", "1s", "--host", "0", "--disk", "0", "--json"]).Json,
            kept = plan.GetProperty("retention");
        long bytes = Run(["estimate", "llama-3-8b", .. policy, "-c", "4096", "--json"]).Json
            .GetProperty("sizes")[0].GetProperty("types").GetProperty("f16").GetProperty("bytes").GetInt64();
        Assert.Equal(plan.GetProperty("device_bytes").GetInt64() / bytes, kept.GetProperty("sequences").GetInt64());
        Assert.InRange(kept.GetProperty("sequences").GetInt64() / kept.GetProperty("exact_sequences").GetDouble(), 3.9, 4.5);
        Assert.InRange(kept.GetProperty("step_s").GetDouble(), 0, 0.95 * kept.GetProperty("exact_step_s").GetDouble());
        JsonElement views = plan.GetProperty("best").GetProperty("views");
        Assert.Equal(240, views.GetProperty("made").GetInt64() + views.GetProperty("found").GetInt64() + views.GetProperty("exact").GetInt64());
        KvasirResult simulated = Run(["simulate", Traffic, .. s_model, .. policy, "--kv-question", "200"]);
        Assert.Contains("all but 200 tokens at the end of a prompt: ", simulated.Answer, StringComparison.Ordinal);
        Assert.Contains("views: ", simulated.Answer, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("--kv-retain 25%: expected a --model, whose layers and heads say what a view takes", "--kv-retain", "25%")]
    [InlineData("retention 'best': expected none, BUDGET, window:N", "-m", "llama-3-8b", "--hardware", "h200", "--kv-retain", "best")]
    [InlineData("retention '0%': a budget of '0%', expected above 0%", "-m", "llama-3-8b", "--hardware", "h200", "--kv-retain", "0%")]
    [InlineData("expected the share that was measured behind it", "-m", "llama-3-8b", "--hardware", "h200", "--kv-retain", "fastgen:0.9")]
    [InlineData("--kv-question 50: expected a policy in --kv-retain", "-m", "llama-3-8b", "--hardware", "h200", "--kv-question", "50")]
    [InlineData("--ttft 'soon': expected a time such as 500ms or 2s", "-m", "llama-3-8b", "--hardware", "h200", "--ttft", "soon")]
    [InlineData("--model: expected the model that is served, and --hardware that it is served on")]
    [InlineData("--model: expected --hardware that it is served on, such as h100-sxm or this", "-m", "llama-3-8b")]
    [InlineData("leave no room in", "-m", "llama-3-70b", "--hardware", "rtx-4090")]
    [InlineData("--efficiency '2': expected a number above 0 and at most 1", "-m", "llama-3-8b", "--hardware", "h200", "--efficiency", "2")]
    public void Nonsense_is_one_line(string error, params string[] flags)
    {
        KvasirResult result = Run(["plan", Traffic, .. flags]);
        Assert.Equal(2, result.ExitCode);
        Assert.Contains(error, result.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", result.Errors, StringComparison.Ordinal);
    }
}
