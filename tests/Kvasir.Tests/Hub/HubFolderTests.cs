using System.Text.Json.Nodes;
using Kvasir.Formats;
using Kvasir.Formats.Hub;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference;
using Kvasir.Inference.Model;
using Kvasir.Inference.Tokenization;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Hub;

/// <summary>What folders of the hub may lack, contradict and ask for.</summary>
public sealed class HubFolderTests : IDisposable
{
    const string Index = "model.safetensors.index.json";
    const string First = "model-00001-of-00003.safetensors", Second = "model-00002-of-00003.safetensors";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Theory]
    [InlineData("", "weights: a directory with nothing in it")]
    [InlineData("pytorch_model.bin", "weights: a directory with 'pytorch_model.bin', which is a program rather than data")]
    [InlineData("tiny.gguf", "weights: a directory with 'tiny.gguf', which can be named itself")]
    [InlineData("model-00001-of-00002.safetensors", "'model-00001-of-00002.safetensors' and no index")]
    [InlineData("README.md", "weights: a directory with files of other kinds")]
    public void A_folder_without_weights_says_what_it_has(string file, string expected)
    {
        Directory.CreateDirectory(_folder["hub"]);
        if (file.Length > 0)
            File.WriteAllText(Path.Combine(_folder["hub"], file), "x");
        Assert.Contains(expected, Refused(_folder["hub"]), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("../secret.safetensors")]
    [InlineData("/etc/x.safetensors")]
    [InlineData("a\\b.safetensors")]
    [InlineData("model.bin")]
    public void An_index_that_leads_elsewhere_is_refused(string name)
    {
        string folder = Tiny(shards: 3);
        Edit(folder, Index, index => index["weight_map"]!["model.norm.weight"] = name);
        Assert.Contains("weight_map.model.norm.weight", Refused(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void Shards_must_be_there_and_hold_what_the_index_says()
    {
        string folder = Tiny(shards: 3);
        File.Move(Path.Combine(folder, Second), Path.Combine(folder, "away"));
        Assert.Contains(Second, Refused(folder), StringComparison.Ordinal);
        File.Move(Path.Combine(folder, "away"), Path.Combine(folder, Second));

        string index = File.ReadAllText(Path.Combine(folder, Index));
        Edit(folder, Index, json => json["weight_map"]!["model.extra.weight"] = First);
        Assert.Contains("'model.extra.weight'", Refused(folder), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, Index), index);
        Edit(folder, Index, json => json["weight_map"]!["model.embed_tokens.weight"] = Second);
        Assert.Contains("a tensor of another file", Refused(folder), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, Index), index);
        Edit(folder, Index, json => ((JsonObject)json["weight_map"]!).Remove("model.embed_tokens.weight"));
        Assert.Contains("not in the index", Refused(folder), StringComparison.Ordinal);
        File.WriteAllText(Path.Combine(folder, Index), index);

        byte[] shard = File.ReadAllBytes(Path.Combine(folder, First));
        File.WriteAllBytes(Path.Combine(folder, First), shard[..^100]);
        Assert.Contains(First, Refused(folder), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("model_type", "\"rwkv\"", "rwkv")]
    [InlineData("vocab_size", "999", "999")]
    [InlineData("num_hidden_layers", "3", "blk.2.")]
    [InlineData("num_hidden_layers", "1", "blk.1.")]
    [InlineData("intermediate_size", "100", "blk.0.ffn_gate.weight")]
    [InlineData("hidden_act", "\"gelu\"", "hidden_act: gelu")]
    [InlineData("tie_word_embeddings", "false", "lm_head.weight")]
    [InlineData("rope_scaling", """{"rope_type":"longrope","factor":4}""", "rope_scaling.short_factor")]
    [InlineData("rope_scaling", """{"rope_type":"llama3","factor":4}""", "original_max_position_embeddings")]
    [InlineData("rms_norm_eps", "\"small\"", "rms_norm_eps")]
    public void A_configuration_that_contradicts_the_tensors_is_refused(string field, string value, string expected)
    {
        string folder = HubTwin.Write((TinyModel.Llama with { TiedOutput = true }).WriteTo(_folder["tiny.gguf"]), _folder["hub"]);
        Edit(folder, "config.json", config => config[field] = JsonNode.Parse(value));
        Assert.Contains(expected, Refused(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void Llama_3s_scaling_becomes_the_divisors_that_a_converter_writes()
    {
        string folder = Tiny();
        Edit(folder, "config.json", config => config["rope_scaling"] = JsonNode.Parse("""
            {"rope_type":"llama3","factor":32.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":256}
            """));
        using var model = LanguageModel.Load(folder);
        float[] expected = new RopeScaling("llama3", 32) { OriginalContext = 256 }.Divisors(10_000, 16);
        Assert.Equal(expected, model.Weights.RopeDivisors);
    }

    [Fact]
    public void Tensors_of_no_known_use_are_refused_by_their_names_and_known_ones_left_alone()
    {
        string gguf = TinyModel.Llama.WriteTo(_folder["tiny.gguf"]), folder = HubTwin.Write(gguf, _folder["hub"]);
        AddTensor(folder, "model.layers.0.self_attn.rotary_emb.inv_freq");
        AddTensor(folder, "model.visual.blocks.0.attn.qkv.weight");
        AddTensor(folder, "mtp.fc.weight");
        using (LanguageModel.Load(folder)) { }
        AddTensor(folder, "model.layers.0.self_attn.sinks");
        Assert.Contains("'model.layers.0.self_attn.sinks': a tensor of no known use", Refused(folder), StringComparison.Ordinal);
    }

    [Fact]
    public void What_the_makers_advise_comes_from_either_file()
    {
        string folder = Tiny();
        Edit(folder, "config.json", config => config["use_cache"] = false);
        using (HubFolder hub = HubFolder.Open(folder))
        {
            Assert.False(hub.Metadata.GetBool("kvasir.use_cache"));
            Assert.False(hub.Metadata.Contains("general.sampling.temp"));
        }
        Edit(folder, "generation_config.json", advice =>
        {
            (advice["use_cache"], advice["do_sample"], advice["temperature"], advice["top_p"]) = (true, true, 0.6, 0.9);
            advice["eos_token_id"] = new JsonArray(TinyVocabulary.TurnEnd, TinyVocabulary.EndOfText);
        });
        using (HubFolder hub = HubFolder.Open(folder))
        {
            Assert.False(hub.Metadata.Contains("kvasir.use_cache"));
            Assert.Equal((0.6f, 0.9f, 50), (hub.Metadata.GetSingle("general.sampling.temp"),
                hub.Metadata.GetSingle("general.sampling.top_p"), hub.Metadata.GetInt32("general.sampling.top_k")));
            Assert.Equal([TinyVocabulary.TurnEnd, TinyVocabulary.EndOfText], hub.Metadata.GetInt32s("tokenizer.ggml.eos_token_ids"));
        }
        Edit(folder, "generation_config.json", advice => advice["temperature"] = "hot");
        Assert.Contains("generation_config.json: temperature: \"hot\"", Refused(folder), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("config.json", 1)]
    [InlineData("tokenizer.json", 2)]
    [InlineData("generation_config.json", 3)]
    [InlineData("model.safetensors.index.json", 4)]
    public void A_damaged_file_is_read_or_refused(string file, int seed)
    {
        string folder = Tiny(shards: 3), path = Path.Combine(folder, file), whole = File.ReadAllText(path);
        string[] pieces = ["\\ud800", "null", "-1", "1e99", "[]", "{}", "\"\"", "99999999999", ",", "true", "▁", "\\u0000"];
        var random = new Random(seed);
        for (int i = 0; i < 150; i++)
        {
            int at = random.Next(whole.Length), length = random.Next(Math.Min(8, whole.Length - at));
            File.WriteAllText(path, whole.Remove(at, length).Insert(at, pieces[random.Next(pieces.Length)]));
            try
            {
                using HubFolder hub = HubFolder.Open(folder);
                SupportedModels.Read(hub);
                Tokenizer.From(hub).Encode("Once upon a time");
            }
            catch (ModelFormatException e)
            {
                Assert.DoesNotContain('\n', e.Message);
            }
        }
    }

    string Tiny(int shards = 1) => HubTwin.Write(TinyModel.Llama.WriteTo(_folder["tiny.gguf"]), _folder["hub"], shards: shards);

    static string Refused(string folder)
    {
        string message = Assert.Throws<ModelFormatException>(() => LanguageModel.Load(folder).Dispose()).Message;
        Assert.DoesNotContain('\n', message);
        return message;
    }

    static void Edit(string folder, string file, Action<JsonNode> change)
    {
        JsonNode json = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, file)))!;
        change(json);
        File.WriteAllText(Path.Combine(folder, file), json.ToJsonString());
    }

    static void AddTensor(string folder, string name)
    {
        byte[] bytes = File.ReadAllBytes(Path.Combine(folder, "model.safetensors"));
        int header = BitConverter.ToInt32(bytes), data = bytes.Length - 8 - header;
        JsonNode json = JsonNode.Parse(bytes.AsSpan(8, header))!;
        json[name] = Safetensors.Entry("F32", [2, 1], data, data + 8);
        byte[] all = [.. bytes[(8 + header)..], .. new byte[8]];
        File.WriteAllBytes(Path.Combine(folder, "model.safetensors"), Safetensors.Bytes(json.ToJsonString(), all));
    }
}
