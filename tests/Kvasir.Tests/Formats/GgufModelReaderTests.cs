using System.Collections.Immutable;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Saga;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Fixtures;
using Kvasir.Tests.Sizing;

namespace Kvasir.Tests.Formats;

/// <summary>What GGUF files say of models.</summary>
public sealed class GgufModelReaderTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    ModelSpec Read(string architecture, params (string Key, object Value)[] keys)
    {
        var writer = new GgufWriter();
        writer.Set("general.architecture", architecture);
        foreach ((string key, object value) in (ReadOnlySpan<(string, object)>)[("block_count", 4u), ("context_length", 512u),
            ("embedding_length", 64u), ("vocab_size", 100u), ("attention.head_count", 4u), .. keys])
            writer.Set(key.StartsWith("split", StringComparison.Ordinal) ? key : $"{architecture}.{key}", value);
        writer.Write(_folder["model.gguf"]);
        return ModelSpecs.Find(_folder["model.gguf"]);
    }

    /// <summary>Saga, and models of each architecture that runs: parameters are those of the file's tensors.</summary>
    [Theory, InlineData("llama"), InlineData("qwen2"), InlineData("qwen3"), InlineData("saga")]
    public void Parameters_are_the_numbers_in_the_files_tensors(string name)
    {
        TinyModel tiny = name switch { "qwen2" => TinyModel.Qwen2, "qwen3" => TinyModel.Qwen3, _ => TinyModel.Llama };
        string path = name == "saga" ? SagaModel.Path : tiny.WriteTo(_folder["tiny.gguf"]);
        using GgufFile file = GgufFile.Open(path);
        ModelSpec spec = ModelSpecs.Find(path);
        Assert.Equal(file.Tensors.Sum(tensor => tensor.Elements), spec.Parameters);
        Assert.Equal(file.Tensors.Sum(tensor => tensor.ByteLength), spec.WeightBytes);
        long matrices = file.Tensors.Where(tensor => tensor.Shape.Length == 2).Sum(tensor => tensor.Elements);
        Assert.Equal(matrices - (file.TryGetTensor("output.weight", out _) ? file.GetTensor("token_embd.weight").Elements : 0),
            spec.ActiveParameters);
    }

    [Fact]
    public void Heads_may_differ_from_layer_to_layer()
    {
        ModelSpec spec = Read("llama", ("attention.head_count_kv", ImmutableArray.Create(4, 2, 1, 2)),
            ("attention.key_length", 32u), ("attention.value_length", 16u));
        Assert.Equal([4, 2, 1, 2], spec.Attention.Select(layer => layer.KvHeads));
        Assert.All(spec.Attention, layer => Assert.Equal((32, 16), (layer.KeyDim, layer.ValueDim)));
    }

    [Fact]
    public void Windows_follow_the_file_or_the_architecture()
    {
        Assert.Equal([8, null, 8, null], Windows("gemma2", ("attention.sliding_window", 8u)));
        Assert.Equal([8, 8, 8, 8], Windows("llama", ("attention.sliding_window", 8u)));
        Assert.Equal([8, 8, null, 8], Windows("gemma3", ("attention.sliding_window", 8u), ("attention.sliding_window_pattern", 3u)));
        Assert.Equal([null, 8, 8, null], Windows("gemma3", ("attention.sliding_window", 8u),
            ("attention.sliding_window_pattern", ImmutableArray.Create(false, true, true, false))));
        Assert.Equal([null, null, null, null], Windows("gemma3"));

        IEnumerable<int?> Windows(string architecture, params (string, object)[] keys) =>
            Read(architecture, keys).Attention.Select(layer => layer.Window);
    }

    [Fact]
    public void Latents_and_sharing_are_read()
    {
        ModelSpec latent = Read("deepseek2", ("attention.kv_lora_rank", 512u),
            ("rope.dimension_count", 64u), ("attention.head_count_kv", 1u));
        Assert.All(latent.Attention, layer => Assert.Equal((1, 576, 0), (layer.KvHeads, layer.KeyDim, layer.ValueDim)));
        ModelSpec shared = Read("gemma3n", ("attention.sliding_window", 8u), ("attention.sliding_window_pattern", 2u),
            ("attention.shared_kv_layers", 2u));
        Assert.Equal([0, 1, 0, 1], shared.Attention.Select(layer => layer.Producer));
    }

    /// <summary>Gemma 3's layers: those that slide have a base of their own and are not stretched.</summary>
    [Fact]
    public void Rotations_may_differ_from_layer_to_layer()
    {
        (string, object)[] keys =
        [
            ("attention.sliding_window", 8u), ("attention.sliding_window_pattern", 2u), ("rope.freq_base", 1e6f),
            ("rope.scaling.type", "linear"), ("rope.scaling.factor", 8f),
        ];
        RopeSpec full = new(1e6f, 16, RopeStyle.Halves) { Scaling = new("linear", 8) }, local = new(10_000, 16, RopeStyle.Halves);
        Assert.Equal([local, full, local, full], Ropes("gemma3", keys));
        RopeSpec other = local with { Base = 500 };
        Assert.Equal([other, full, other, full], Ropes("gemma3", [.. keys, ("rope.freq_base_swa", 500f)]));
        Assert.Equal([full, full, full, full], Ropes("gemma2", keys));
        Assert.Equal([full with { Style = RopeStyle.Adjacent }, null], Ropes("cohere2", keys)[..2]);

        RopeSpec?[] Ropes(string architecture, params (string, object)[] keys) =>
            [.. Read(architecture, keys).Attention.Select(layer => layer.Rope)];
    }

    [Fact]
    public void Networks_may_differ_from_layer_to_layer()
    {
        ModelSpec spec = Read("llama", ("feed_forward_length", ImmutableArray.Create(96, 128, 64, 96)));
        Assert.Equal([96, 128, 64, 96], spec.Layers.Select(layer => layer.FeedForward!.Width));
        Assert.Null(Read("llama").Layers[0].FeedForward);
    }

    /// <summary>Gemma 2 27B: scores by the root of width over heads, whatever the heads; its layers tell it.</summary>
    [Fact]
    public void The_largest_models_of_Gemma_scale_scores_in_their_own_way()
    {
        Assert.Equal(1 / MathF.Sqrt(144), OfLayers(46));
        Assert.Null(OfLayers(42));
        Assert.Null(ModelSpecs.Find("gemma-2-9b").Attention.First().Scale);
        Assert.Equal(1 / MathF.Sqrt(144), ModelSpecs.Find("gemma-2-27b").Attention.First().Scale);
        Assert.Equal(1 / MathF.Sqrt(168), ModelSpecs.Find("gemma-3-27b").Attention.First().Scale);

        float? OfLayers(uint count) =>
            Read("gemma2", ("block_count", count), ("embedding_length", 576u), ("attention.key_length", 128u)).Attention.First().Scale;
    }

    /// <summary>
    /// LFM2 1.2B: 10 of 16 layers keep the last two inputs of a convolution and nothing for a token; 12,288 bytes of f16 a token, and 164
    /// KB.
    /// </summary>
    [Fact]
    public void Layers_without_KV_heads_carry_a_state()
    {
        int[] kvHeads = [0, 0, 8, 0, 0, 8, 0, 0, 8, 0, 8, 0, 8, 0, 8, 0];
        ModelSpec spec = Read("lfm2", ("block_count", 16u), ("embedding_length", 2048u), ("attention.head_count", 32u),
            ("attention.head_count_kv", ImmutableArray.Create(kvHeads)), ("shortconv.l_cache", 3u));
        Assert.Equal(kvHeads.Select(heads => heads == 0 ? 4096 : 0), spec.Layers.Select(layer => (int)layer.StateElements));
        var size = new KvSize(spec, Specs.Kv("f16"));
        Assert.Equal((12_288, 163_840), (size.PerToken, size.StateBytes));
        Assert.Equal(163_840 + 100 * 12_288, size.Bytes(100));
        Assert.False(new CapacityPlan(size, KvRetention.Everything).HasBlocks);
        Assert.Equal(163_840 + 100 * 12_288, new ModelTraffic(spec with { ActiveParameters = 1 }, 2, 2).KvBytesRead(100));
    }

    [Fact]
    public void Of_experts_the_chosen_ones_are_active()
    {
        ModelSpec spec = Mixture(used: 2);
        Assert.Equal((640 + 64 * 96 * 8 + 64 * 96 + 64, 640 + 64 * 96 * 2 + 64 * 96, 10),
            (spec.Parameters, spec.ActiveParameters, spec.Vocabulary));
        Assert.Equal(new ExpertSpec(new ExpertRouting(2, 8), 64 * 96 * 8), spec.Experts); // the shared one is none
        Assert.Contains("expert_used_count: 9, expected at most the 8 experts",
            Assert.Throws<ModelFormatException>(() => Mixture(used: 9)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Experts_that_no_tensor_is_of_are_noted()
    {
        ModelSpec spec = Read("llama", ("expert_count", 8u), ("expert_used_count", 2u));
        Assert.Null(spec.Experts);
        Assert.Contains("8 experts, but no tensor", Assert.Single(spec.Notes), StringComparison.Ordinal);
        Assert.Empty(Read("llama", ("expert_count", 0u)).Notes);
    }

    ModelSpec Mixture(uint used)
    {
        var writer = new GgufWriter();
        writer.Set("general.architecture", "qwen3moe");
        foreach ((string key, uint value) in (ReadOnlySpan<(string, uint)>)[("block_count", 1), ("context_length", 512),
            ("embedding_length", 64), ("attention.head_count", 4), ("expert_count", 8), ("expert_used_count", used)])
            writer.Set($"qwen3moe.{key}", value);
        writer.Add("token_embd.weight", TensorType.F32, [64, 10], (_, _) => { });
        writer.Add("blk.0.ffn_up_exps.weight", TensorType.F32, [64, 96, 8], (_, _) => { });
        writer.Add("blk.0.ffn_up_shexp.weight", TensorType.F32, [64, 96], (_, _) => { });
        writer.Add("blk.0.attn_norm.weight", TensorType.F32, [64], (_, _) => { });
        writer.Write(_folder["moe.gguf"], cancellation: TestContext.Current.CancellationToken);
        return ModelSpecs.Find(_folder["moe.gguf"]);
    }

    [Fact]
    public void A_part_of_a_model_has_dimensions_and_no_count() => Assert.Null(Read("llama", ("split.count", (ushort)2)).Parameters);

    [Theory]
    [InlineData("block_count", 0, "block_count: 0, expected 1 to 4096")]
    [InlineData("block_count", -1, "block_count: -1")]
    [InlineData("block_count", 5000, "block_count: 5000")]
    [InlineData("attention.head_count", 5, "attention.head_count: 5, expected a divisor of embedding_length 64")]
    [InlineData("attention.head_count_kv", 3, "attention.head_count_kv: 3, expected a divisor of the 4 query heads")]
    [InlineData("attention.sliding_window", -5, "attention.sliding_window: -5")]
    [InlineData("attention.shared_kv_layers", 4, "attention.shared_kv_layers: 4, expected fewer than the 4 layers")]
    public void Absurd_numbers_are_refused(string key, int value, string message) => Refuses(message, "llama", (key, value));

    [Fact]
    public void What_does_not_fit_together_is_refused()
    {
        Refuses("attention.head_count_kv: 3 values, expected one for each of the 4 layers", "llama",
            ("attention.head_count_kv", ImmutableArray.Create(1, 1, 1)));
        Refuses("attention.head_count_kv: 0 at layer 1", "llama", ("attention.head_count_kv", ImmutableArray.Create(1, 0, 1, 1)));
        Refuses("attention.sliding_window_pattern: 1 layers", "gemma3", ("attention.sliding_window", 8u),
            ("attention.sliding_window_pattern", ImmutableArray.Create(true)));
        Refuses("attention.shared_kv_layers: the key is missing", "gemma3n");
        Refuses("general.architecture: 'mamba2', expected one of cohere2, command-r", "mamba2");
    }

    void Refuses(string message, string architecture, params (string, object)[] keys)
    {
        string line = Assert.Throws<ModelFormatException>(() => Read(architecture, keys)).Message;
        Assert.StartsWith(_folder["model.gguf"], line, StringComparison.Ordinal);
        Assert.Contains(message, line, StringComparison.Ordinal);
    }
}
