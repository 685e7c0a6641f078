using System.Runtime.InteropServices;
using System.Text.Json.Nodes;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;

namespace Kvasir.Tests.Fixtures;

/// <summary>
/// Writes a GGUF file's model as Hugging Face's hub would have it: its names, its order of rows, its files. What a converter does to such a
/// folder is undone here, written down a second time.
/// </summary>
static class HubTwin
{
    static readonly (string Ours, string Theirs)[] s_names =
    [
        ("attn_norm", "input_layernorm"), ("attn_q_norm", "self_attn.q_norm"), ("attn_k_norm", "self_attn.k_norm"),
        ("attn_q", "self_attn.q_proj"), ("attn_k", "self_attn.k_proj"), ("attn_v", "self_attn.v_proj"),
        ("attn_output", "self_attn.o_proj"), ("ffn_norm", "post_attention_layernorm"), ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj"),
    ];

    /// <param name="gguf">The model.</param>
    /// <param name="folder">Receives the files.</param>
    /// <param name="type">What tensors are stored as.</param>
    /// <param name="shards">Into how many files they go.</param>
    /// <param name="prefix">What goes before the names of tensors, in place of <c>model.</c>.</param>
    /// <param name="modelType">What the configuration calls the model; null for what GGUF does.</param>
    /// <param name="without">A tensor that is left out.</param>
    /// <param name="fields">What its configuration says beside the geometry; a name of a tensor stands for its numbers.</param>
    public static string Write(string gguf, string folder, TensorType type = TensorType.F32, int shards = 1, string prefix = "model.",
        string? modelType = null, string fields = "{}", string? without = null)
    {
        using GgufFile file = GgufFile.Open(gguf);
        ModelSpec spec = ModelSpec.From(file);
        Directory.CreateDirectory(folder);
        (string Name, long[] Shape, byte[] Bytes)[] tensors = [.. file.Tensors
            .Where(tensor => !tensor.Name.StartsWith("rope_", StringComparison.Ordinal))
            .SelectMany(tensor => tensor.Name.Contains("_exps.", StringComparison.Ordinal)
                ? HubTwinExperts.Of(file, tensor, prefix, modelType ?? spec.Architecture, type)
                : [(Rename(tensor.Name, prefix, spec), tensor.Shape.Reverse().ToArray(), Bytes(file, tensor, spec, type))])
            .Where(tensor => tensor.Item1 != without)];
        if (shards == 1)
            Safetensors.Write(Path.Combine(folder, "model.safetensors"), Name(type), tensors, HubTwinExperts.AreBytes);
        else
            WriteShards(folder, type, shards, tensors);
        File.WriteAllText(Path.Combine(folder, "config.json"), Config(spec, file, modelType, fields).ToJsonString());
        File.WriteAllText(Path.Combine(folder, "tokenizer.json"), HubTokenizerJson.Of(file).ToJsonString());
        if (file.Metadata.TryGetString("tokenizer.chat_template", out string? template))
            File.WriteAllText(Path.Combine(folder, "chat_template.jinja"), template);
        File.WriteAllText(Path.Combine(folder, "generation_config.json"),
            new JsonObject { ["eos_token_id"] = file.Metadata.GetInt32("tokenizer.ggml.eos_token_id") }.ToJsonString());
        return folder;
    }

    static void WriteShards(string folder, TensorType type, int shards, (string Name, long[] Shape, byte[] Bytes)[] tensors)
    {
        var map = new JsonObject();
        for (int i = 0; i < shards; i++)
        {
            string name = $"model-{i + 1:00000}-of-{shards:00000}.safetensors";
            (string Name, long[], byte[])[] part = [.. tensors.Where((_, index) => index % shards == i)];
            Safetensors.Write(Path.Combine(folder, name), Name(type), part, HubTwinExperts.AreBytes);
            foreach ((string tensor, _, _) in part)
                map[tensor] = name;
        }
        File.WriteAllText(Path.Combine(folder, "model.safetensors.index.json"),
            new JsonObject { ["metadata"] = new JsonObject { ["total_size"] = 1 }, ["weight_map"] = map }.ToJsonString());
    }

    static string Name(TensorType type) => type.DisplayName().ToUpperInvariant();

    static string Rename(string name, string prefix, ModelSpec spec)
    {
        if (name is "output.weight")
            return "lm_head.weight";
        if (name is "token_embd.weight" or "output_norm.weight")
            return prefix + (name == "token_embd.weight" ? "embed_tokens.weight" : "norm.weight");
        string[] parts = name.Split('.');
        return parts[2] == "attn_sinks" ? $"{prefix}layers.{parts[1]}.self_attn.sinks"
            : $"{prefix}layers.{parts[1]}.{Theirs(parts[2], spec)}.{parts[3]}";
    }

    static string Theirs(string ours, ModelSpec spec) => (ours, spec.Architecture, spec.Layers[0].Norms) switch
    {
        ("attn_qkv", _, _) => "self_attn.qkv_proj",
        ("ffn_up", "phi3" or "glm4", _) => "mlp.gate_up_proj",
        ("ffn_gate_inp", "qwen3moe", _) => "mlp.gate",
        ("ffn_gate_inp", "gpt-oss", _) => "mlp.router",
        ("ffn_gate_inp", _, _) => "block_sparse_moe.gate",
        ("post_attention_norm", "glm4", _) => "post_self_attn_layernorm",
        ("post_ffw_norm", "glm4", _) => "post_mlp_layernorm",
        ("post_attention_norm", _, _) => "post_attention_layernorm",
        ("post_ffw_norm", _, _) => "post_feedforward_layernorm",
        ("ffn_norm", not "glm4", NormPlaces.AroundSublayers) => "pre_feedforward_layernorm",
        _ => s_names.Single(pair => pair.Ours == ours).Theirs,
    };

    static byte[] Bytes(GgufFile file, StoredTensor tensor, ModelSpec spec, TensorType type)
    {
        int columns = (int)tensor.Columns, rows = (int)tensor.Rows, head = spec.Layers[0].Attention!.KeyDim;
        bool vector = tensor.Shape.Length == 1;
        bool lacksOne = spec.Architecture is "gemma" or "gemma2" or "gemma3"
            && tensor.Name.EndsWith("norm.weight", StringComparison.Ordinal);
        bool pairs = spec.Architecture is "llama" or "mistral3" or "smollm3" or "granite"
            && tensor.Name.Split('.') is [_, _, "attn_q" or "attn_k", _];
        float[] values = new float[columns];
        byte[] bytes = new byte[type.RowBytes(columns) * rows];
        for (int row = 0; row < rows; row++)
        {
            RowFormat.Dequantize(tensor.Type, file.Row(tensor, row), values);
            for (int i = 0; i < columns && lacksOne; i++)
                values[i] -= 1;
            float[] stored = pairs && vector ? [.. values.Select((_, i) => values[Ours(i, head)])] : values;
            int at = pairs && !vector ? Theirs(row, head) : row;
            RowFormat.Quantize(type, stored, bytes.AsSpan((int)type.RowBytes(columns) * at, (int)type.RowBytes(columns)));
        }
        return bytes;
    }

    /// <summary>Pair i of a head, its rows 2i and 2i + 1, is rows i and i + half there.</summary>
    static int Theirs(int row, int head) => row / head * head + row % head / 2 + row % 2 * (head / 2);

    static int Ours(int row, int head) => row / head * head + row % head % (head / 2) * 2 + row % head / (head / 2);

    static JsonObject Config(ModelSpec spec, GgufFile file, string? type, string fields)
    {
        AttentionSpec attention = spec.Layers[0].Attention!;
        var config = new JsonObject
        {
            ["model_type"] = type ?? (spec.Architecture == "llama" && attention.Window is not null ? "mistral" : spec.Architecture),
            ["hidden_size"] = spec.Width,
            ["vocab_size"] = spec.Vocabulary,
            ["num_hidden_layers"] = spec.Layers.Length,
            ["intermediate_size"] = spec.Layers[0].FeedForward!.Width,
            ["num_attention_heads"] = attention.Heads,
            ["num_key_value_heads"] = attention.KvHeads,
            ["head_dim"] = attention.KeyDim,
            ["max_position_embeddings"] = spec.Context,
            ["rms_norm_eps"] = spec.Norm.Epsilon,
            ["rope_theta"] = attention.Rope!.Base,
            ["tie_word_embeddings"] = spec.IsTied,
            ["sliding_window"] = attention.Window,
        };
        foreach ((string name, JsonNode? value) in JsonNode.Parse(fields)!.AsObject())
            config[name] = value!.DeepClone();
        foreach (string name in (string[])["short_factor", "long_factor"])
            if (config["rope_scaling"]?[name] is JsonValue tensor)
                config["rope_scaling"]![name] = Numbers(file, (string)tensor!);
        if (file.Metadata.TryGetString("kvasir.bare_prompt", out string? bare))
            config["kvasir.bare_prompt"] = bare;
        return config;
    }

    static JsonArray Numbers(GgufFile file, string tensor) =>
        new([.. MemoryMarshal.Cast<byte, float>(file.Row(file.GetTensor(tensor), 0)).ToArray().Select(value => (JsonNode)value)]);
}
