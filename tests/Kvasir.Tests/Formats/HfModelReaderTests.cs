using System.Text;
using Kvasir.Formats;
using Kvasir.Formats.Models;
using Kvasir.Planning.Sizing;
using Kvasir.Tests.Fixtures;

namespace Kvasir.Tests.Formats;

/// <summary>Configurations of Hugging Face: what is read of them, and what is refused.</summary>
public sealed class HfModelReaderTests : IDisposable
{
    const string Llama = """{ "model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 96, "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 512 }""";

    readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    ModelSpec Read(string json, bool assumeLlama = false) =>
        ModelSpecs.Find(_folder.Write("config.json", Encoding.UTF8.GetBytes(json)), assumeLlama);

    static string With(string fields) => Llama.Replace(" }", $", {fields} }}", StringComparison.Ordinal);

    static string Without(string field) => System.Text.RegularExpressions.Regex.Replace(Llama, $"\"{field}\": [^,}}]+,? ?", "");

    [Fact]
    public void A_folder_stands_for_the_configuration_in_it()
    {
        Read(Llama);
        ModelSpec spec = ModelSpecs.Find(Path.GetDirectoryName(_folder["x"])!);
        Assert.Equal((512, 2, 16), (spec.Context, spec.Layers.Length, spec.Layers[1].Attention!.KeyDim));
        Assert.Equal(2 * 100 * 64 + 64 + 2 * (2 * 64 * 64 + 2 * 64 * 32 + 3 * 64 * 96 + 2 * 64), spec.Parameters);
        Assert.Empty(spec.Notes);
    }

    /// <summary>As google/gemma-3-4b-it publishes it: what the text configuration leaves out is in the class, and is said.</summary>
    [Fact]
    public void A_text_configuration_that_leaves_most_out_is_completed_from_its_class()
    {
        ModelSpec spec = Read("""
            { "model_type": "gemma3", "text_config": { "model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240,
              "num_hidden_layers": 34, "sliding_window": 1024, "rope_scaling": { "factor": 8.0, "rope_type": "linear" } } }
            """);
        ModelSpec known = ModelSpecs.Find("gemma-3-4b");
        Assert.Equal(known.Layers, spec.Layers);
        Assert.Equal((known.Parameters, known.Context), (spec.Parameters, spec.Context));
        Assert.Contains("head_dim 256", Assert.Single(spec.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Of_a_proportional_rotation_a_share_of_all_pairs_turns()
    {
        RopeSpec rope = Read(With(""" "head_dim": 512, "rope_parameters": { "rope_type": "proportional", "rope_theta": 1e6, "partial_rotary_factor": 0.25 } """))
            .Attention.First().Rope!;
        float[] divisors = rope.Scaling!.Divisors(rope.Base, rope.Dims);
        Assert.Equal((1e6f, 512, 1, float.PositiveInfinity), (rope.Base, rope.Dims, divisors[63], divisors[64]));
    }

    [Fact]
    public void Layer_types_say_which_layers_slide()
    {
        ModelSpec spec = Read(With(""" "layer_types": ["full_attention", "sliding_attention"], "sliding_window": 128 """));
        Assert.Equal([null, 128], spec.Attention.Select(layer => layer.Window));
    }

    [Theory]
    [InlineData("""  "use_sliding_window": false, "sliding_window": 32, "max_window_layers": 1 """, null, null)]
    [InlineData("""  "use_sliding_window": true, "sliding_window": 32, "max_window_layers": 1 """, null, 32)]
    public void Qwens_later_layers_slide_if_it_says_so(string fields, int? first, int? second) =>
        Assert.Equal([first, second], Read(With(fields).Replace("llama", "qwen2", StringComparison.Ordinal))
            .Attention.Select(layer => layer.Window));

    /// <summary>
    /// Gemma 3n E4B: the last 15 of 35 read layer 19 if they attend to everything, else 18 (the class's kv_sharing_roles).
    /// </summary>
    [Fact]
    public void Layers_that_share_read_the_last_of_their_kind()
    {
        ModelSpec spec = ModelSpecs.Find("gemma-3n-e4b");
        Assert.All(spec.Attention.Index(), layer =>
            Assert.Equal(layer.Index < 20 ? layer.Index : (layer.Index + 1) % 5 == 0 ? 19 : 18, layer.Item.Producer));
        Assert.Null(spec.Parameters);
    }

    [Theory]
    [InlineData("", "no valid JSON")]
    [InlineData("[1]", "file: a JSON Array, expected an object")]
    [InlineData("""{ "model_type": 5 }""", "model_type: a JSON Number, expected a string")]
    [InlineData("""{ "hidden_size": 5 }""", "model_type: the field is missing")]
    [InlineData("""{ "model_type": "mamba2" }""", "model_type: 'mamba2', expected one of cohere, cohere2, deepseek_v2")]
    [InlineData("""{ "model_type": "llava", "text_config": { "model_type": "opt" } }""", "text_config.model_type: 'opt', expected one of")]
    [InlineData("""{ "model_type": "llama", "model_type": "llama" }""", "no valid JSON")]
    public void What_is_no_configuration_of_a_known_architecture_is_refused(string json, string message) => Refuses(json, message);

    [Theory]
    [InlineData("\"num_hidden_layers\": 2", "\"num_hidden_layers\": -2", "num_hidden_layers: -2, expected a whole number from 1 to 4096")]
    [InlineData("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1e3", "num_hidden_layers: 1e3")]
    [InlineData("\"num_hidden_layers\": 2", "\"num_hidden_layers\": \"2\"", "num_hidden_layers: \"2\"")]
    [InlineData("\"hidden_size\": 64", "\"hidden_size\": 99999999999999999999", "hidden_size: 99999999999999999999")]
    [InlineData("\"hidden_size\": 64", "\"hidden_size\": 66", "num_attention_heads: 4, expected a divisor of hidden_size 66")]
    [InlineData("\"num_key_value_heads\": 2", "\"num_key_value_heads\": 3",
        "num_key_value_heads: 3, expected a divisor of the 4 query heads")]
    [InlineData("\"max_position_embeddings\": 512", "\"max_position_embeddings\": 0", "max_position_embeddings: 0")]
    public void Absurd_numbers_are_refused(string good, string bad, string message) =>
        Refuses(Llama.Replace(good, bad, StringComparison.Ordinal), message);

    [Theory]
    [InlineData("num_hidden_layers"), InlineData("hidden_size"), InlineData("num_attention_heads"),
        InlineData("vocab_size"), InlineData("intermediate_size")]
    public void Missing_fields_are_named(string field) => Refuses(Without(field), $"{field}: the field is missing");

    [Theory]
    [InlineData(""" "layer_types": ["full_attention"] """, "layer_types: 1 layers, expected the 2 of num_hidden_layers")]
    [InlineData(""" "layer_types": ["full_attention", "linear_attention"] """,
        "layer_types: 'linear_attention', expected full_attention or sliding_attention")]
    [InlineData(""" "layer_types": ["full_attention", "sliding_attention"] """, "sliding_window: no window")]
    [InlineData(""" "layer_types": ["full_attention", 7] """, "layer_types: 7, expected a string")]
    [InlineData(""" "layer_types": true """, "layer_types: true, expected an array of strings")]
    [InlineData(""" "kv_lora_rank": 512 """, "kv_lora_rank: a latent cache")]
    [InlineData(""" "num_kv_shared_layers": 1 """, "num_kv_shared_layers: layers that share a cache")]
    [InlineData(""" "tie_word_embeddings": 1 """, "tie_word_embeddings: 1, expected true or false")]
    [InlineData(""" "num_local_experts": 8, "num_experts_per_tok": 9 """, "num_experts_per_tok: 9, expected at most the 8 experts")]
    [InlineData(""" "num_local_experts": 8 """, "num_experts_per_tok: the field is missing")]
    public void Contradictions_are_refused(string fields, string message) => Refuses(With(fields), message);

    [Fact]
    public void Sharing_needs_a_layer_to_read_from() => Refuses(
        """{ "model_type": "gemma3n_text", "num_hidden_layers": 5, "num_kv_shared_layers": 1 }""",
        "num_kv_shared_layers: 1, so that layer 4 attends to everything and has no such layer to read from");

    [Fact]
    public void An_unknown_architecture_can_be_read_as_llama_if_nothing_speaks_against_it()
    {
        string unknown = Llama.Replace("llama", "newcomer", StringComparison.Ordinal);
        Refuses(unknown, "--assume-llama");
        ModelSpec spec = Read(unknown, assumeLlama: true);
        Assert.Equal(ModelSpecs.Find(_folder.Write("llama.json", Encoding.UTF8.GetBytes(Llama))).Attention, spec.Attention);
        Assert.Null(spec.Parameters);
        Assert.Contains("'newcomer' is unknown", Assert.Single(spec.Notes), StringComparison.Ordinal);
        Assert.Contains("sliding_window", Assert.Throws<ModelFormatException>(
            () => Read(unknown.Replace(" }", ", \"sliding_window\": 5 }", StringComparison.Ordinal), assumeLlama: true)).Message,
            StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("full_attention_interval", "4")]
    [InlineData("attn_layer_period", "8")]
    [InlineData("attn_layer_offset", "4")]
    [InlineData("attn_layer_indices", "[9, 18]")]
    [InlineData("hybrid_override_pattern", "\"M-M*\"")]
    [InlineData("block_types", "[\"recurrent\", \"attention\"]")]
    [InlineData("layers_block_type", "[\"mamba\"]")]
    [InlineData("multi_query", "true")]
    [InlineData("multi_query_group_num", "2")]
    [InlineData("num_kv_heads", "2")]
    [InlineData("n_head_kv", "1")]
    [InlineData("cla_share_factor", "2")]
    [InlineData("attention_chunk_size", "8192")]
    [InlineData("attention_window_size", "4096")]
    [InlineData("global_attn_every_n_layers", "3")]
    [InlineData("attention_types", "[[[\"global\", \"local\"], 12]]")]
    [InlineData("sliding_window_pattern", "6")]
    [InlineData("q_lora_rank", "1536")]
    [InlineData("linear_num_key_heads", "16")]
    [InlineData("mamba_d_state", "16")]
    [InlineData("state_size", "16")]
    [InlineData("conv_L_cache", "3")]
    [InlineData("is_encoder_decoder", "true")]
    [InlineData("attn_config", "{ \"kv_n_heads\": 8 }", "attn_config.kv_n_heads")]
    [InlineData("ssm_cfg", "{ \"layer\": \"Mamba2\" }", "ssm_cfg.layer")]
    public void What_an_unknown_architecture_says_of_its_cache_is_not_overlooked(string field, string value, string? named = null)
    {
        string unknown = Llama.Replace("llama", "newcomer", StringComparison.Ordinal);
        string With(string field, string value) => unknown.Replace(" }", $", \"{field}\": {value} }}", StringComparison.Ordinal);
        Assert.Contains($"{named ?? field}: ",
            Assert.Throws<ModelFormatException>(() => Read(With(field, value), assumeLlama: true)).Message, StringComparison.Ordinal);
        foreach (string nothing in (string[])["null", "false", "0", "[]", "{}"])
            Assert.NotNull(Read(With(field, nothing), assumeLlama: true));
    }

    [Theory]
    [InlineData("attention_dropout", "0.1")]
    [InlineData("num_experts", "8")]
    [InlineData("shared_expert_intermediate_size", "512")]
    [InlineData("num_local_experts", "8")]
    [InlineData("share_input_output_embed", "true")]
    [InlineData("initializer_range", "0.02")]
    [InlineData("use_cache", "true")]
    [InlineData("mlp_bias", "true")]
    [InlineData("rope_scaling", "{ \"type\": \"linear\", \"factor\": 2.0 }")]
    public void What_says_nothing_of_the_cache_may_stand_there(string field, string value) => Assert.NotNull(Read(
        Llama.Replace("llama", "newcomer", StringComparison.Ordinal)
            .Replace(" }", $", \"{field}\": {value} }}", StringComparison.Ordinal), assumeLlama: true));

    [Fact]
    public void Files_that_cannot_be_read_are_refused_in_one_line()
    {
        Assert.Contains("cannot be read", Assert.Throws<ModelFormatException>(
            () => ModelSpecs.Find(Path.GetDirectoryName(_folder["x"])!)).Message, StringComparison.Ordinal);
        Refuses(string.Concat(Enumerable.Repeat("{\"a\":", 200)), "no valid JSON");
        Refuses(new string(' ', (16 << 20) + 1), "expected a configuration of at most");
    }

    void Refuses(string json, string message)
    {
        string line = Assert.Throws<ModelFormatException>(() => Read(json)).Message;
        Assert.StartsWith(_folder["config.json"], line, StringComparison.Ordinal);
        Assert.Contains(message, line, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', line);
    }
}
