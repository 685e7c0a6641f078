using Kvasir.Inference;
using Kvasir.Inference.Formats;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>A configuration that makes no sense is refused in one line that names file, field, value and what was expected.</summary>
public class ModelConfigTests
{
    public static TheoryData<string, object, string> Refusals => new()
    {
        { "general.architecture", "mamba", "general.architecture: 'mamba', expected one of llama, qwen2, qwen3" },
        { "llama.block_count", 0u, "llama.block_count: 0, expected 1 to " },
        { "llama.block_count", 4_000_000_000u, "llama.block_count: 4000000000, expected an integer from -2147483648 to 2147483647" },
        { "llama.block_count", 3u, "tensor 'blk.2.attn_norm.weight'" },
        { "llama.attention.head_count", 3u, "llama.attention.head_count_kv: 2, expected a divisor of the 3 query heads" },
        { "llama.attention.head_count_kv", 0u, "llama.attention.head_count_kv: 0, expected 1 to " },
        { "llama.attention.value_length", 8u, "llama.attention.value_length: 8, expected the key length, 16" },
        { "llama.rope.dimension_count", 17u, "llama.rope.dimension_count: 17, expected an even number up to the head's 16" },
        { "llama.rope.freq_base", float.NaN, "llama.rope.freq_base: NaN, expected a positive number" },
        { "llama.rope.scaling.type", "yarn", "llama.rope.scaling.type: 'yarn', expected none, linear" },
        { "llama.attention.layer_norm_rms_epsilon", -1f, "llama.attention.layer_norm_rms_epsilon: -1, expected a positive number" },
        { "llama.embedding_length", 32u, "tensor 'token_embd.weight': shape [64, 265], expected [32, 265]" },
        { "llama.expert_count", 8u, "llama.expert_count: 8, expected a dense model" },
        { "llama.context_length", -5, "llama.context_length: -5, expected 1 to " },
        { "llama.attention.sliding_window", -1, "llama.attention.sliding_window: -1, expected 0 or more" },
        { "split.count", (ushort)3, "split.count: 3, expected one file that holds the whole model" },
    };

    [Theory, MemberData(nameof(Refusals))]
    public void A_field_out_of_range_is_named(string key, object value, string message)
    {
        using var folder = new TemporaryFolder();
        GgufWriter file = TinyModel.Llama.Build();
        file.Set(key, value);
        file.Write(folder["odd.gguf"], cancellation: TestContext.Current.CancellationToken);
        var e = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(folder["odd.gguf"]));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.StartsWith(folder["odd.gguf"] + ": ", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }

    [Fact]
    public void A_tensor_of_no_known_use_is_refused_because_ignoring_it_would_answer_wrongly()
    {
        using var folder = new TemporaryFolder();
        GgufWriter file = TinyModel.Llama.Build();
        file.Add("blk.0.ffn_gate_exps.weight", TensorType.F32, [4, 4], (_, _) => { });
        file.Write(folder["odd.gguf"], cancellation: TestContext.Current.CancellationToken);
        var e = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(folder["odd.gguf"]));
        Assert.Contains("tensor 'blk.0.ffn_gate_exps.weight': a tensor of no known use", e.Message, StringComparison.Ordinal);
    }
}
