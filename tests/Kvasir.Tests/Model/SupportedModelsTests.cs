using System.Collections.Immutable;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Inference;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>What makes no sense, or is not computed, is refused in one line that names file, key, value and what was expected.</summary>
public class SupportedModelsTests
{
    public static TheoryData<string, object, string> Refusals => new()
    {
        { "general.architecture", "mamba", "general.architecture: 'mamba', expected one of gemma, gemma2, gemma3, glm4, gpt-oss, granite, " },
        { "llama.block_count", 0u, "llama.block_count: 0, expected 1 to " },
        { "llama.block_count", 4_000_000_000u, "llama.block_count: 4000000000, expected an integer from -2147483648 to 2147483647" },
        { "llama.block_count", 3u, "tensor 'blk.2.attn_q.weight'" },
        { "llama.attention.head_count", 3u, "llama.attention.head_count_kv: 2, expected a divisor of the 3 query heads" },
        { "llama.attention.head_count_kv", 0u, "llama.attention.head_count_kv: 0, expected 1 to " },
        { "llama.attention.value_length", 8u, "tensor 'blk.0.attn_v.weight': shape [64, 32], expected [64, 16]" },
        { "llama.rope.dimension_count", 17u, "llama.rope.dimension_count: 17, expected an even number up to the head's 16" },
        { "llama.rope.freq_base", float.NaN, "llama.rope.freq_base: NaN, expected a positive number" },
        { "llama.rope.scaling.type", "dynamic", "llama.rope.scaling.type: 'dynamic', expected none, linear, yarn, longrope" },
        { "llama.attention.layer_norm_rms_epsilon", -1f, "llama.attention.layer_norm_rms_epsilon: -1, expected a positive number" },
        { "llama.embedding_length", 32u, "tensor 'token_embd.weight': shape [64, 265], expected [32, 265]" },
        { "llama.expert_count", 8u, "llama.expert_used_count: the key is missing, expected 1 to the 8 experts" },
        { "llama.expert_used_count", 2u, "llama.expert_used_count: '2', expected 0, which is all that is computed" },
        { "llama.context_length", -5, "llama.context_length: -5, expected 1 to " },
        { "llama.attention.sliding_window", -1, "llama.attention.sliding_window: -1, expected 0 or more" },
        { "llama.attention.kv_producers", ImmutableArray.Create(0),
            "llama.attention.kv_producers: 1 numbers, expected 2, one for each layer" },
        { "llama.attention.kv_producers", ImmutableArray.Create(0, 2),
            "llama.attention.kv_producers[1]: 2, expected the layer itself, or an earlier one" },
        { "llama.attention.kv_producers", ImmutableArray.Create(-1, 1),
            "llama.attention.kv_producers[0]: -1, expected the layer itself, or an earlier one" },
        { "llama.attention.kv_producers", ImmutableArray.Create(0, 0), "tensor 'blk.1.attn_k.weight': a tensor of no known use" },
        { "llama.attention.kv_producers", "all", "expected an array of integers" },
        { "llama.attention.kv_lora_rank", 512u, "llama.attention.kv_lora_rank: 512, expected none: keys and values, not one latent" },
        { "llama.rope.scaling.type", "longrope", "tensor rope_factors_short.weight: the tensor is missing, expected [8]: divisors" },
        { "llama.rope.scaling.yarn_ext_factor", 0.5f, "llama.rope.scaling.yarn_ext_factor: '0.5', expected 1, which is all" },
        { "llama.feed_forward_length", 0u, "llama.feed_forward_length: the key is missing, or 0, expected the width" },
        { "llama.feed_forward_length", ImmutableArray.Create(96), "feed_forward_length: 1 values, expected one for each of the 2 layers" },
        { "llama.attention.causal", false, "llama.attention.causal: 'False', expected True, which is all that is computed" },
        { "llama.attention.clamp_kqv", 8f, "llama.attention.clamp_kqv: '8', expected 0, which is all that is computed" },
        { "llama.attention.max_alibi_bias", 8f, "llama.attention.max_alibi_bias: '8', expected 0" },
        { "llama.rope.scale_linear", 4f, "llama.rope.scale_linear: '4', expected 1" },
        { "llama.attention.temperature_scale", 0.1f, "llama.rope.scaling.original_context_length: the key is missing" },
        { "llama.attention.sinks", ImmutableArray.Create(1, 2), "llama.attention.sinks: array of int32, expected no such key" },
        { "llama.interleaved_rope", "yes", "llama.interleaved_rope: 'yes', expected no such key: what it changes is not computed" },
        { "llama.attention.causal", "no", "llama.attention.causal: 'no', expected 1, which is all that is computed" },
        { "llama.expert_used_count", ImmutableArray.Create(0, 2), "llama.expert_used_count: array of int32, expected 0" },
        { "tokenizer.ggml.remove_extra_whitespaces", true,
            "tokenizer.ggml.remove_extra_whitespaces: 'True', expected False, which is all that is computed" },
        { "tokenizer.ggml.normalizer.lowercase", true, "tokenizer.ggml.normalizer.lowercase: 'True', expected False" },
        { "tokenizer.ggml.normalizer.strip_accents", true, "tokenizer.ggml.normalizer.strip_accents: 'True', expected False" },
        { "tokenizer.ggml.precompiled_charsmap", ImmutableArray.Create<byte>(1), "tokenizer.ggml.precompiled_charsmap: array of uint8, " },
        { "tokenizer.ggml.suppress_tokens", ImmutableArray.Create(3), "tokenizer.ggml.suppress_tokens: array of int32, expected no such key" },
        { "tokenizer.ggml.add_cls_token", true, "tokenizer.ggml.add_cls_token: 'True', expected False" },
        { "tokenizer.ggml.byte_fallback", false, "tokenizer.ggml.byte_fallback: 'False', expected no such key: what it changes " },
        { "tokenizer.rwkv.world", "a", "tokenizer.rwkv.world: 'a', expected no such key" },
        { "tokenizer.ggml.eos_token_ids", ImmutableArray.Create(2, 9999), "tokenizer.ggml.eos_token_ids: 9999, expected a token from 0 to " },
        { "tokenizer.ggml.fim_pad_token_id", 9999u, "tokenizer.ggml.fim_pad_token_id: 9999, expected a token from 0 to " },
        { "general.type", "adapter", "general.type: 'adapter', expected 'model'" },
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

    /// <summary>What llama.cpp's converter and others write, and what changes nothing here or is done.</summary>
    [Fact]
    public void Known_keys_of_tokenizers_load()
    {
        using var folder = new TemporaryFolder();
        GgufWriter file = TinyModel.Llama.Build();
        foreach (string id in (string[])["seperator", "mask", "cls", "fim_pre", "fim_suf", "fim_mid", "fim_rep", "prefix", "suffix", "middle"])
            file.Set($"tokenizer.ggml.{id}_token_id", 7u);
        foreach (string no in (string[])["add_sep_token", "remove_extra_whitespaces", "normalizer.lowercase", "add_padding_token"])
            file.Set($"tokenizer.ggml.{no}", false);
        file.Set("tokenizer.ggml.token_type_count", 1u);
        file.Set("tokenizer.ggml.eos_token_ids", ImmutableArray.Create(8, 9));
        file.Set("tokenizer.huggingface.json", "{}");
        file.Set("tokenizer.chat_templates", ImmutableArray.Create("rag"));
        file.Set("tokenizer.chat_template.rag", "{{ 1 }}");
        file.Write(folder["odd.gguf"], cancellation: TestContext.Current.CancellationToken);
        using LanguageModel model = LanguageModel.Load(folder["odd.gguf"]);
        Assert.Superset(new HashSet<int> { 7, 8, 9 }, new HashSet<int>(model.Tokenizer.Ends));
    }

    /// <summary>
    /// Architectures that can be described, by what of them is not computed: keys that they have, or what their names imply.
    /// </summary>
    [Theory]
    [InlineData("gpt-oss", "gpt-oss.expert_count: 0, expected experts, whose activations have a limit")]
    [InlineData("falcon", "not computed: norms of mean and variance, attention and network at once, networks other than gated silu")]
    public void A_known_architecture_is_refused_for_what_is_not_computed(string architecture, string message) =>
        Refuses((new TinyModel { Architecture = architecture }).Build(), message);

    [Fact]
    public void A_layer_that_carries_a_state_is_refused()
    {
        GgufWriter file = (new TinyModel { Architecture = "lfm2" }).Build();
        file.Set("lfm2.attention.head_count_kv", ImmutableArray.Create(2, 0));
        file.Set("lfm2.shortconv.l_cache", 3u);
        Refuses(file, "lfm2.attention.head_count_kv: 0, expected keys and values in every layer (states that are none are not supported)");
    }

    [Fact]
    public void Heads_beyond_all_memory_are_refused()
    {
        GgufWriter file = TinyModel.Llama.Build();
        file.Set("llama.attention.head_count", 65536u);
        file.Set("llama.attention.key_length", 1u << 20);
        Refuses(file, "llama.attention.head_count: 65536 of 1048576 elements, expected heads that a machine can hold");
    }

    static void Refuses(GgufWriter file, string message)
    {
        using var folder = new TemporaryFolder();
        file.Write(folder["odd.gguf"], cancellation: TestContext.Current.CancellationToken);
        var e = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(folder["odd.gguf"]));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_pattern_of_windows_must_say_of_each_layer_whether_it_slides()
    {
        using var folder = new TemporaryFolder();
        GgufWriter file = TinyModel.Llama.Build();
        file.Set("llama.attention.sliding_window", 32u);
        file.Set("llama.attention.sliding_window_pattern", ImmutableArray.Create(true, false, true));
        file.Write(folder["odd.gguf"], cancellation: TestContext.Current.CancellationToken);
        var e = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(folder["odd.gguf"]));
        Assert.Contains("attention.sliding_window_pattern: 3 layers, expected the 2 of block_count", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Layers_of_different_windows_cannot_share()
    {
        using var folder = new TemporaryFolder();
        string path = (TinyModel.Llama with { Window = 32, FullEvery = 2, Shared = 2 }).WriteTo(folder["odd.gguf"]);
        var e = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(path));
        Assert.Contains("llama.attention.kv_producers[1]: 0, expected the layer itself, or an earlier one of the same window",
            e.Message, StringComparison.Ordinal);
        Assert.Contains("kv_producers[1]: 0", Assert.Throws<ModelFormatException>(() => ModelSpecs.Find(path)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public void A_tensor_of_no_known_use_is_refused_because_ignoring_it_would_answer_wrongly()
    {
        using var folder = new TemporaryFolder();
        GgufWriter file = TinyModel.Llama.Build();
        file.Add("blk.0.attn_sinks.weight", TensorType.F32, [4, 4], (_, _) => { });
        file.Write(folder["odd.gguf"], cancellation: TestContext.Current.CancellationToken);
        var e = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(folder["odd.gguf"]));
        Assert.Contains("tensor 'blk.0.attn_sinks.weight': a tensor of no known use", e.Message, StringComparison.Ordinal);
    }
}
