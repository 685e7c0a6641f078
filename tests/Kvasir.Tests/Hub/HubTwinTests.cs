using System.Text;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Saga;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache.Tiers.Disk;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Hub;

/// <summary>One model, as a GGUF file and as a folder of the hub: the same bits, tokens and names of keys and values.</summary>
public sealed class HubTwinTests : IDisposable
{
    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    internal static Dictionary<string, TinyModel> Models { get; } = new()
    {
        ["llama"] = TinyModel.Llama,
        ["llama-tied"] = TinyModel.Llama with { TiedOutput = true, KvHeads = 4 },
        ["mistral"] = TinyModel.Llama with { Window = 8, RopeBase = 1e6f, KvHeads = 1 },
        ["qwen2"] = TinyModel.Qwen2,
        ["qwen3"] = TinyModel.Qwen3,
        ["wide-heads"] = TinyModel.Llama with { HeadDim = 32 },
    };

    public static TheoryData<string, TensorType> Twins =>
        new(from name in Models.Keys from type in (TensorType[])[TensorType.F32, TensorType.BF16, TensorType.F16] select (name, type));

    [Theory, MemberData(nameof(Twins))]
    public void Both_give_the_same_logits_and_fingerprints(string name, TensorType type)
    {
        string gguf = (Models[name] with { Type = type }).WriteTo(_folder["tiny.gguf"]);
        if (type != TensorType.F32)
            gguf = NarrowVectors(gguf, type);
        using var ours = LanguageModel.Load(gguf);
        using var theirs = LanguageModel.Load(HubTwin.Write(gguf, _folder["hub"], type));
        AssertAlike(ours, theirs);
    }

    const string Qwen3Moe = """{"num_experts":16,"num_experts_per_tok":3,"moe_intermediate_size":96,"norm_topk_prob":true}""",
        Mixtral = """{"num_local_experts":4,"num_experts_per_tok":2}""";

    static string GptOss(bool rounds) => $$"""
        {"num_local_experts":8,"num_experts_per_tok":4,"swiglu_limit":7.0,"rope_theta":150000,
         "rope_scaling":{"rope_type":"yarn","factor":32,"original_max_position_embeddings":16,"truncate":{{(rounds ? "true" : "false")}}} }
        """;

    static TinyModel SmallGptOss => TinyModel.GptOss with { ExpertType = TensorType.MXFP4 };

    [Theory]
    [InlineData("qwen3moe", "qwen3_moe", 1)]
    [InlineData("qwen3moe", "qwen3_moe", 3)]
    [InlineData("llama-experts", "mixtral", 1)]
    [InlineData("gpt-oss", "gpt_oss", 2)]
    public void So_do_those_of_mixtures_of_experts(string name, string type, int shards)
    {
        TinyModel model = name == "gpt-oss" ? SmallGptOss : TinyModel.Families[name];
        string gguf = model.WriteTo(_folder["tiny.gguf"]);
        string fields = type switch { "gpt_oss" => GptOss(rounds: true), "mixtral" => Mixtral, _ => Qwen3Moe };
        using var ours = LanguageModel.Load(gguf);
        using var theirs = LanguageModel.Load(HubTwin.Write(gguf, _folder["hub"], shards: shards, modelType: type, fields: fields));
        AssertAlike(ours, theirs);
    }

    /// <summary>llama.cpp knows only the rounded ramp, the published model the other: bits differ, and fingerprints do.</summary>
    [Fact]
    public void The_ramp_of_gpt_oss_is_its_publishers_and_stays_so_in_a_file()
    {
        string gguf = SmallGptOss.WriteTo(_folder["tiny.gguf"]);
        string folder = HubTwin.Write(gguf, _folder["hub"], modelType: "gpt_oss", fields: GptOss(rounds: false));
        using (IModelFile hub = ModelFiles.Open(folder))
            Quantizer.Quantize(hub, _folder["copy.gguf"], WeightMix.All["f32"], cancellation: TestContext.Current.CancellationToken);
        using LanguageModel rounded = LanguageModel.Load(gguf), theirs = LanguageModel.Load(folder),
            copy = LanguageModel.Load(_folder["copy.gguf"]);
        Assert.All(theirs.Config.Attention, layer => Assert.False(layer.Rope!.Scaling!.RoundsPairs));
        Assert.All(copy.Config.Attention, layer => Assert.False(layer.Rope!.Scaling!.RoundsPairs));
        Assert.NotEqual(rounded.Digest, theirs.Digest);
    }

    [Theory]
    [InlineData("model.layers.1.mlp.experts.7.up_proj.weight",
        "'model.layers.1.mlp.experts.7.up_proj.weight': it is missing, expected one for each of 16 experts")]
    [InlineData("model.layers.0.mlp.gate.weight", "'blk.0.ffn_gate_inp.weight': missing among")]
    public void A_missing_part_of_a_mixture_is_named(string missing, string message)
    {
        string gguf = TinyModel.Qwen3Moe.WriteTo(_folder["tiny.gguf"]);
        string folder = HubTwin.Write(gguf, _folder["hub"], modelType: "qwen3_moe", fields: Qwen3Moe, without: missing);
        var e = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(folder));
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    /// <summary>What the configurations of other families say beside the geometry.</summary>
    public static TheoryData<string, string, string> Families => new()
    {
        { "gemma", "gemma", "{}" },
        { "gemma2", "gemma2", """{"sliding_window":10,"attn_logit_softcapping":2,"final_logit_softcapping":3}""" },
        { "gemma3", "gemma3_text", """
            {"sliding_window":10,"sliding_window_pattern":6,"rope_theta":1000000,"rope_scaling":{"rope_type":"linear","factor":8}}
            """ },
        { "phi3-long", "phi3", Phi3(64) },
        { "phi3-short", "phi3", Phi3(256) },
        { "smollm3", "smollm3", """{"rope_theta":10000}""" },
        { "olmo2", "olmo2", "{}" },
        { "olmo3", "olmo3", """
            {"sliding_window":10,"rope_scaling":{"rope_type":"yarn","factor":8,"original_max_position_embeddings":64}}
            """ },
        { "granite", "granite", """
            {"embedding_multiplier":12,"residual_multiplier":0.22,"attention_multiplier":0.1,"logits_scaling":8}
            """ },
        { "glm4", "glm4", """{"partial_rotary_factor":0.5,"attention_bias":true}""" },
        { "mistral3", "ministral3", """
            {"rope_parameters":{"rope_type":"yarn","rope_theta":10000,"factor":16,"beta_fast":4,"beta_slow":1,"mscale":1,
             "mscale_all_dim":1,"llama_4_scaling_beta":0.3,"original_max_position_embeddings":8}}
            """ },
        { "llama-linear", "llama", """{"rope_scaling":{"type":"linear","factor":4}}""" },
    };

    /// <summary>Its divisors stand in the test's file as tensors, and are put in here.</summary>
    static string Phi3(int original) => $$"""
        {"partial_rotary_factor":0.75,"original_max_position_embeddings":{{original}},
         "rope_scaling":{"type":"longrope","attention_factor":1.19,"short_factor":"rope_factors_short.weight",
         "long_factor":"rope_factors_long.weight"} }
        """;

    [Theory, MemberData(nameof(Families))]
    public void So_do_those_of_other_families(string name, string type, string fields)
    {
        string gguf = TinyModel.Families[name].WriteTo(_folder["tiny.gguf"]);
        using var ours = LanguageModel.Load(gguf);
        using var theirs = LanguageModel.Load(HubTwin.Write(gguf, _folder["hub"], modelType: type, fields: fields));
        AssertAlike(ours, theirs);
    }

    [Theory]
    [InlineData(TensorType.F32)]
    [InlineData(TensorType.BF16)]
    public void Saga_finds_in_a_folder_what_its_file_has_computed(TensorType type)
    {
        string gguf = Converted(SagaModel.Path, type);
        using var ours = LanguageModel.Load(gguf);
        using var theirs = LanguageModel.Load(HubTwin.Write(gguf, _folder["hub"], type, shards: 3));
        string text = "In the house of Rolf there is a silver bowl, and nobody knows who put it there. " + new string('a', 60);
        Assert.Equal(ours.Tokenizer.Encode(text), theirs.Tokenizer.Encode(text));
        Assert.Equal(ours.Tokenizer.Vocabulary.ChatTemplate, theirs.Tokenizer.Vocabulary.ChatTemplate);
        Assert.Equal(ours.Tokenizer.Ends, theirs.Tokenizer.Ends);

        var options = new EngineOptions { KvDisk = new DiskTierOptions { Folder = _folder["kv"] } };
        int[] prompt = ours.Tokenizer.EncodePrompt(text);
        (string Text, int Reused) first = Generate(ours, options, prompt), second = Generate(theirs, options, prompt);
        Assert.Equal(first.Text, second.Text);
        Assert.Equal(0, first.Reused);
        Assert.True(second.Reused >= 16, $"{second.Reused} of {prompt.Length} tokens were found");
    }

    [Theory]
    [InlineData("model.language_model.", 1)]
    [InlineData("language_model.model.", 2)]
    public void Names_of_models_that_see_pictures_are_found(string prefix, int shards)
    {
        string gguf = TinyModel.Llama.WriteTo(_folder["tiny.gguf"]);
        using var ours = LanguageModel.Load(gguf);
        using var theirs = LanguageModel.Load(HubTwin.Write(gguf, _folder["hub"], shards: shards, prefix: prefix));
        AssertAlike(ours, theirs);
    }

    [Fact]
    public void A_folder_quantises_to_the_file_that_its_twin_does()
    {
        string gguf = TinyModel.Llama.WriteTo(_folder["tiny.gguf"]);
        foreach ((string from, string to) in ((string, string)[])[(gguf, "a.gguf"), (HubTwin.Write(gguf, _folder["hub"]), "b.gguf")])
        {
            using IModelFile file = ModelFiles.Open(from);
            Quantizer.Quantize(file, _folder[to], WeightMix.Of(TensorType.Q8_0), cancellation: TestContext.Current.CancellationToken);
        }
        using var ours = LanguageModel.Load(_folder["a.gguf"]);
        using var theirs = LanguageModel.Load(_folder["b.gguf"]);
        AssertAlike(ours, theirs);
    }

    [Fact]
    public void Another_models_fingerprint_is_another()
    {
        using var one = LanguageModel.Load(TinyModel.Llama.WriteTo(_folder["a.gguf"]));
        using var seed = LanguageModel.Load((TinyModel.Llama with { Seed = 2 }).WriteTo(_folder["b.gguf"]));
        using var rope = LanguageModel.Load((TinyModel.Llama with { RopeBase = 1e5f }).WriteTo(_folder["c.gguf"]));
        Assert.Equal(3, new[] { one, seed, rope }.Select(model => model.Digest).Distinct().Count());
    }

    static (string, int) Generate(LanguageModel model, EngineOptions options, int[] prompt)
    {
        using var engine = new InferenceEngine(model, options);
        using Sequence sequence = engine.NewSequence();
        sequence.Append(prompt);
        var text = new StringBuilder();
        GenerationResult result = engine.Generate(sequence, new GenerationOptions { MaxTokens = 8 }, piece => text.Append(piece));
        return (text.ToString(), result.ReusedTokens);
    }

    static void AssertAlike(LanguageModel ours, LanguageModel theirs)
    {
        Assert.Equal(Logits(ours), Logits(theirs));
        Assert.Equal(ours.Digest, theirs.Digest);
    }

    static float[] Logits(LanguageModel model)
    {
        using var engine = new InferenceEngine(model, StoredAs.Floats);
        using Sequence sequence = engine.NewSequence();
        sequence.Append([.. Enumerable.Range(0, 40).Select(i => i * 7 % 256)]);
        return engine.ComputeLogits(sequence)[^1];
    }

    string Converted(string path, TensorType type)
    {
        using GgufFile file = GgufFile.Open(path);
        Quantizer.Quantize(file, _folder["converted.gguf"], WeightMix.Of(type), cancellation: TestContext.Current.CancellationToken);
        return NarrowVectors(_folder["converted.gguf"], type);
    }

    /// <summary>Rounds vectors, which stay floats, to what the folder's narrower type can hold.</summary>
    static string NarrowVectors(string path, TensorType type)
    {
        using GgufFile file = GgufFile.Open(path);
        var writer = new GgufWriter();
        foreach (string key in file.Metadata.Keys)
            writer.Set(key, file.Metadata[key]);
        foreach (StoredTensor tensor in file.Tensors)
            writer.Add(tensor.Name, tensor.Type, tensor.Shape, (row, bytes) => Narrow(file, tensor, type, row, bytes.Span));
        writer.Write(path + ".narrow", cancellation: TestContext.Current.CancellationToken);
        return path + ".narrow";
    }

    static void Narrow(GgufFile file, StoredTensor tensor, TensorType type, long row, Span<byte> bytes)
    {
        if (tensor.Shape.Length > 1)
        {
            file.Read(tensor, row, bytes);
            return;
        }
        float[] values = new float[tensor.Columns];
        byte[] narrow = new byte[type.RowBytes(values.Length)];
        RowFormat.Dequantize(tensor.Type, file.Row(tensor, 0), values);
        RowFormat.Quantize(type, values, narrow);
        RowFormat.Dequantize(type, narrow, values);
        RowFormat.Quantize(TensorType.F32, values, bytes);
    }
}
