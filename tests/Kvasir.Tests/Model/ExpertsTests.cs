using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Inference;
using Kvasir.Inference.Measurement.Speed;
using Kvasir.Inference.Scheduling;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Model;

/// <summary>Mixtures of experts: what a step reads of them, and files that contradict themselves.</summary>
public sealed class ExpertsTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public void A_step_reads_the_experts_that_a_token_chooses_and_no_others()
    {
        using var model = LanguageModel.Load(TinyModel.Qwen3Moe.WriteTo(_folder["tiny.gguf"]));
        using var engine = new InferenceEngine(model, StoredAs.Floats with { Context = 64 });
        const int Width = 64, Network = 96, Queries = 4 * 32, Keys = 2 * 32, Layers = 2, Chosen = 3, All = 16;
        int layer = Width * (Queries + 2 * Keys + Queries + All) + Chosen * 3 * Width * Network;
        long bytes = sizeof(float) * ((long)Layers * layer + Width * model.Config.Vocabulary);
        ModelCost cost = ModelCost.Of(engine);
        Assert.Equal(bytes, cost.WeightBytes);
        Assert.Equal(2.0 * Layers * layer, cost.Layers.Fp32);
        Assert.Equal(bytes, new ModelTraffic(ModelSpecs.Find(_folder["tiny.gguf"]), sizeof(float), sizeof(float)).WeightBytes(1));
    }

    public static TheoryData<string, object?, string> Contradictions => new()
    {
        { "expert_used_count", 17u, "qwen3moe.expert_used_count: 17, expected at most the 16 experts" },
        { "expert_used_count", 0u, "qwen3moe.expert_used_count: 0, expected 1 to " },
        { "expert_count", 8u, "tensor 'blk.0.ffn_gate_inp.weight': shape [64, 16], expected [64, 8]" },
        { "expert_count", 0u, "qwen3moe.expert_count: 0, expected 1 to 65536" },
        { "expert_count", 70_000u, "qwen3moe.expert_count: 70000, expected 0 to 65536" },
        { "expert_feed_forward_length", 95u, "tensor 'blk.0.ffn_gate_exps.weight': shape [64, 96, 16], expected [64, 95, 16]" },
        { "expert_weights_scale", 2.5f, "qwen3moe.expert_weights_scale: '2.5', expected 1, which is all that is computed" },
        { "expert_gating_func", 2u, "qwen3moe.expert_gating_func: '2', expected no such key" },
        { "expert_weights_norm", 1u, "qwen3moe.expert_weights_norm: uint32, expected true or false" },
        { "leading_dense_block_count", 1u, "tensor 'blk.0.ffn_gate.weight': missing among" },
    };

    [Theory, MemberData(nameof(Contradictions))]
    public void A_file_that_contradicts_itself_is_refused_in_one_line(string key, object? value, string message)
    {
        GgufWriter file = TinyModel.Qwen3Moe.Build();
        file.Set($"qwen3moe.{key}", value!);
        file.Write(_folder["odd.gguf"], cancellation: TestContext.Current.CancellationToken);
        Refuses(_folder["odd.gguf"], message);
    }

    [Fact]
    public void Sinks_must_be_there() =>
        Refuses((TinyModel.GptOss with { Sinks = false }).WriteTo(_folder["odd.gguf"]), "tensor 'blk.0.attn_sinks.weight': missing among");

    [Fact]
    public void Dense_families_have_no_experts() =>
        Refuses((TinyModel.Qwen3 with { Experts = 4 }).WriteTo(_folder["odd.gguf"]),
            "qwen3.expert_count: 4, expected none: mixtures of experts are those of gpt-oss, llama, qwen3moe");

    /// <summary>The smallest power is a weight like others; the largest byte says that there is none.</summary>
    [Theory]
    [InlineData(0, null)]
    [InlineData(254, null)]
    [InlineData(255, "tensor 'blk.1.ffn_up_exps.weight': a scale of 255, which is no number, in row 201, block 1, expected 0 to 254")]
    public void Scales_of_mxfp4_go_to_the_ends(byte scale, string? message)
    {
        string path = (TinyModel.GptOss with { ExpertType = TensorType.MXFP4 }).WriteTo(_folder["odd.gguf"]);
        long at;
        using (GgufFile file = GgufFile.Open(path))
            at = file.GetTensor("blk.1.ffn_up_exps.weight") is var up ? up.Offset + 201 * up.RowBytes + 17 : 0;
        byte[] bytes = File.ReadAllBytes(path);
        bytes[at] = scale;
        File.WriteAllBytes(path, bytes);
        if (message is not null)
            Refuses(path, message);
        else
            LanguageModel.Load(path).Dispose();
    }

    static void Refuses(string path, string message)
    {
        var e = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(path));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
        Assert.StartsWith(path + ": ", e.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', e.Message);
    }
}
