using System.Collections.Immutable;
using System.Runtime.InteropServices;
using Kvasir.Formats;
using Kvasir.Formats.Gguf;
using Kvasir.Formats.Models;
using Kvasir.Formats.Quantization;
using Kvasir.Inference.Synthesis;

namespace Kvasir.Tests.Fixtures;

/// <summary>
/// A valid GGUF model of random weights, a few tens of kilobytes: the architectures and their variants without a download. The same
/// options and seed give the same bytes.
/// </summary>
sealed record TinyModel
{
    public string Architecture { get; init; } = "llama";
    public int Layers { get; init; } = 2;
    public int Embedding { get; init; } = 64;
    public int Heads { get; init; } = 4;
    public int KvHeads { get; init; } = 2;
    public int HeadDim { get; init; } = 16;
    public int? ValueDim { get; init; } // of a head's value; null: the head's
    public int FeedForward { get; init; } = 96;
    public int ContextLength { get; init; } = 512;
    public float RopeBase { get; init; } = 10000;

    /// <summary>Base of the rotary frequencies in layers that slide; 0: that of all.</summary>
    public float LocalRopeBase { get; init; }

    /// <summary>Without an output matrix: the token embeddings serve as one.</summary>
    public bool TiedOutput { get; init; } = true;

    /// <summary>Biases on q, k and v, as qwen2 has them.</summary>
    public bool Biases { get; init; }

    /// <summary>A norm over each head of q and k, as qwen3 has them.</summary>
    public bool QkNorm { get; init; }

    /// <summary>Divisors of the rotary frequencies, as Llama 3.1 has them.</summary>
    public bool RopeFrequencies { get; init; }

    /// <summary>Keys that a layer sees, but each <see cref="FullEvery"/>th sees all; 0: all see all.</summary>
    public int Window { get; init; }

    public int FullEvery { get; init; } = int.MaxValue;

    /// <summary>So many neighbouring layers read the keys and values of the first of them.</summary>
    public int Shared { get; init; } = 1;

    /// <summary>The matrices' type; norms, biases and frequencies are f32. Rows must be whole blocks.</summary>
    public TensorType Type { get; init; } = TensorType.F32;

    /// <summary>Elements of a head that are rotated; null: all.</summary>
    public int? RopeDims { get; init; }

    /// <summary>Divisors of short and of long contexts, as Phi-3 has them.</summary>
    public bool LongRope { get; init; }

    /// <summary>Where layers have norms.</summary>
    public NormPlaces Norms { get; init; } = NormPlaces.BeforeSublayers;

    /// <summary>One norm over all heads of q, and one over those of k, as olmo2 has them.</summary>
    public bool NormsHeadsAsOne { get; init; }

    /// <summary>Queries, keys and values in one matrix, as Phi-3 has them.</summary>
    public bool FusesAttention { get; init; }

    /// <summary>Gate and up in one matrix, as Phi-3 and GLM-4 have them.</summary>
    public bool FusesNetwork { get; init; }

    /// <summary>Biases on gate, up and down.</summary>
    public bool NetworkBiases { get; init; }

    /// <summary>A bias on what attention has gathered.</summary>
    public bool OutputBiases { get; init; }

    /// <summary>Experts in every layer, of which a token chooses <see cref="Chosen"/>; 0: one network.</summary>
    public int Experts { get; init; }

    public int Chosen { get; init; } = 2;

    /// <summary>The type of the experts' matrices; null: that of all others.</summary>
    public TensorType? ExpertType { get; init; }

    /// <summary>A sink for each query head.</summary>
    public bool Sinks { get; init; }

    /// <summary>Whether the norm before the network is called after the attention that it follows, as gpt-oss has it.</summary>
    public bool NormIsPostAttention { get; init; }

    /// <summary>Whether the file says which layers slide; otherwise its architecture does.</summary>
    public bool ListsWindows { get; init; } = true;

    /// <summary>More keys, without the architecture in front.</summary>
    public ImmutableDictionary<string, float> More { get; init; } = ImmutableDictionary<string, float>.Empty;

    /// <summary>Name of the rope's scaling.</summary>
    public string? Scaling { get; init; }

    /// <summary>Context before scaling.</summary>
    public int OriginalContext { get; init; }

    public int Seed { get; init; } = 1;

    /// <summary>Control tokens of a chat template, besides those of ChatML.</summary>
    public ImmutableArray<string> Frames { get; init; } = [];

    int Vocabulary => TinyVocabulary.Size + Frames.Length;

    public static TinyModel Llama { get; } = new() { TiedOutput = false };
    public static TinyModel Llama3 { get; } = new() { RopeFrequencies = true, RopeBase = 500000 };
    public static TinyModel Qwen2 { get; } = new() { Architecture = "qwen2", Biases = true, RopeBase = 1e6f };
    public static TinyModel Qwen3 { get; } = new() { Architecture = "qwen3", QkNorm = true, HeadDim = 32, RopeBase = 1e6f };

    static ImmutableDictionary<string, float> Keys(params (string Key, float Value)[] keys) =>
        keys.ToImmutableDictionary(pair => pair.Key, pair => pair.Value);

    public static TinyModel Gemma { get; } = new() { Architecture = "gemma" };

    /// <summary>Every other layer slides; scores and logits are capped.</summary>
    public static TinyModel Gemma2 { get; } = new()
    {
        Architecture = "gemma2", Layers = 3, Norms = NormPlaces.AroundSublayers, Window = 10, FullEvery = 2, ListsWindows = false,
        More = Keys(("attn_logit_softcapping", 2), ("final_logit_softcapping", 3)),
    };

    /// <summary>Five of six layers slide, and rotate otherwise than the others.</summary>
    public static TinyModel Gemma3 { get; } = new()
    {
        Architecture = "gemma3", Layers = 7, HeadDim = 32, QkNorm = true, Norms = NormPlaces.AroundSublayers, RopeBase = 1e6f,
        Window = 10, FullEvery = 6, ListsWindows = false, Scaling = "linear", More = Keys(("rope.scaling.factor", 8)),
    };

    public static TinyModel Phi3 { get; } = new()
    {
        Architecture = "phi3", RopeDims = 12, FusesAttention = true, FusesNetwork = true, LongRope = true, OriginalContext = 64,
        More = Keys(("rope.scaling.attn_factor", 1.19f)),
    };

    /// <summary>The fourth layer rotates nothing.</summary>
    public static TinyModel SmolLm3 { get; } = new() { Architecture = "smollm3", Layers = 5 };

    public static TinyModel Olmo2 { get; } = new()
    {
        Architecture = "olmo2", TiedOutput = false, QkNorm = true, NormsHeadsAsOne = true,
        Norms = NormPlaces.AfterAttention | NormPlaces.AfterFeedForward,
    };

    /// <summary>Three of four layers slide; only the others are stretched.</summary>
    public static TinyModel Olmo3 { get; } = Olmo2 with
    {
        Layers = 5,
        Window = 10,
        FullEvery = 4,
        ListsWindows = false,
        Scaling = "yarn",
        OriginalContext = 64,
        More = Keys(("rope.scaling.factor", 8)),
    };

    public static TinyModel Granite { get; } = new()
    {
        Architecture = "granite",
        More = Keys(("embedding_scale", 12), ("residual_scale", 0.22f), ("attention.scale", 0.1f), ("logit_scale", 8)),
    };

    public static TinyModel Glm4 { get; } = new()
    {
        Architecture = "glm4", RopeDims = 8, Biases = true, FusesNetwork = true, Norms = NormPlaces.AroundSublayers,
    };

    /// <summary>Queries grow with their position.</summary>
    public static TinyModel Mistral3 { get; } = new()
    {
        Architecture = "mistral3", Scaling = "yarn", OriginalContext = 8,
        More = Keys(("rope.scaling.factor", 16), ("rope.scaling.yarn_beta_fast", 4), ("rope.scaling.yarn_beta_slow", 1),
            ("rope.scaling.yarn_log_multiplier", 1), ("attention.temperature_scale", 0.3f)),
    };

    /// <summary>Sixteen experts, three of which a token chooses.</summary>
    public static TinyModel Qwen3Moe { get; } = Qwen3 with { Architecture = "qwen3moe", TiedOutput = false, Experts = 16, Chosen = 3 };

    /// <summary>Every other layer slides, attention has sinks and biases, and experts' activations a limit.</summary>
    public static TinyModel GptOss { get; } = new()
    {
        Architecture = "gpt-oss", Layers = 4, HeadDim = 32, TiedOutput = false, Biases = true, OutputBiases = true, NetworkBiases = true,
        Sinks = true, Experts = 8, Chosen = 4, NormIsPostAttention = true, Window = 10, FullEvery = 2, ListsWindows = false,
        RopeBase = 150_000, Scaling = "yarn", OriginalContext = 16, More = Keys(("rope.scaling.factor", 32)),
    };

    /// <summary>All families but the first ones by name.</summary>
    public static ImmutableSortedDictionary<string, TinyModel> Families { get; } = new Dictionary<string, TinyModel>
    {
        ["gemma"] = Gemma, ["gemma2"] = Gemma2, ["gemma3"] = Gemma3, ["phi3-long"] = Phi3, ["phi3-short"] = Phi3 with { OriginalContext = 256 },
        ["smollm3"] = SmolLm3, ["olmo2"] = Olmo2, ["olmo3"] = Olmo3, ["granite"] = Granite, ["glm4"] = Glm4, ["mistral3"] = Mistral3,
        ["llama-network-biases"] = Llama with { NetworkBiases = true },
        ["llama-yarn"] = Llama with
        {
            HeadDim = 32,
            Scaling = "yarn",
            OriginalContext = 64,
            More = Keys(("rope.scaling.factor", 4), ("rope.scaling.attn_factor", 0.9f)),
        },
        ["qwen3moe"] = Qwen3Moe, ["gpt-oss"] = GptOss,
        ["llama-experts"] = Llama with { Experts = 4 },
        ["llama-linear"] = Llama with { Scaling = "linear", More = Keys(("rope.scaling.factor", 4)) },
    }.ToImmutableSortedDictionary(StringComparer.Ordinal);

    /// <summary>Writes the model and returns the path.</summary>
    public string WriteTo(string path)
    {
        Build().Write(path);
        return path;
    }

    /// <summary>The model's bytes, for tests that damage them.</summary>
    public byte[] ToBytes()
    {
        using var folder = new TemporaryFolder();
        return File.ReadAllBytes(WriteTo(folder["tiny.gguf"]));
    }

    /// <summary>The declared file, for tests that add to it.</summary>
    public GgufWriter Build()
    {
        var writer = new GgufWriter();
        AddMetadata(writer);
        TinyVocabulary.AddTo(writer, Frames);
        AddTensors(writer, new Random(Seed));
        return writer;
    }

    void AddMetadata(GgufWriter writer)
    {
        writer.Set("general.architecture", Architecture);
        writer.Set("general.name", "tiny");
        writer.Set("general.alignment", 32u);
        writer.Set($"{Architecture}.vocab_size", (uint)Vocabulary);
        writer.Set($"{Architecture}.context_length", (uint)ContextLength);
        writer.Set($"{Architecture}.embedding_length", (uint)Embedding);
        writer.Set($"{Architecture}.block_count", (uint)Layers);
        writer.Set($"{Architecture}.feed_forward_length", (uint)FeedForward);
        if (Experts > 0)
        {
            writer.Set($"{Architecture}.expert_count", (uint)Experts);
            writer.Set($"{Architecture}.expert_used_count", (uint)Chosen);
            writer.Set($"{Architecture}.expert_feed_forward_length", (uint)FeedForward);
        }
        writer.Set($"{Architecture}.attention.head_count", (uint)Heads);
        writer.Set($"{Architecture}.attention.head_count_kv", (uint)KvHeads);
        writer.Set($"{Architecture}.attention.key_length", (uint)HeadDim);
        writer.Set($"{Architecture}.attention.value_length", (uint)(ValueDim ?? HeadDim));
        writer.Set($"{Architecture}.attention.layer_norm_rms_epsilon", 1e-5f);
        writer.Set($"{Architecture}.rope.dimension_count", (uint)(RopeDims ?? HeadDim));
        writer.Set($"{Architecture}.rope.freq_base", RopeBase);
        foreach ((string key, float value) in More.OrderBy(pair => pair.Key, StringComparer.Ordinal))
            writer.Set($"{Architecture}.{key}", value);
        if (Scaling is not null)
            writer.Set($"{Architecture}.rope.scaling.type", Scaling);
        if (OriginalContext > 0)
            writer.Set($"{Architecture}.rope.scaling.original_context_length", (uint)OriginalContext);
        if (LocalRopeBase > 0)
            writer.Set($"{Architecture}.rope.freq_base_swa", LocalRopeBase);
        if (Window > 0)
            writer.Set($"{Architecture}.attention.sliding_window", (uint)Window);
        if (Window > 0 && ListsWindows)
            writer.Set($"{Architecture}.attention.sliding_window_pattern",
                ImmutableArray.CreateRange(Enumerable.Range(0, Layers).Select(layer => (layer + 1) % FullEvery != 0)));
        if (Shared > 1)
            writer.Set($"{Architecture}.attention.kv_producers",
                ImmutableArray.CreateRange(Enumerable.Range(0, Layers).Select(layer => layer / Shared * Shared)));
    }

    void AddTensors(GgufWriter writer, Random random)
    {
        int queries = Heads * HeadDim, keys = KvHeads * HeadDim, values = KvHeads * (ValueDim ?? HeadDim);
        Matrix("token_embd.weight", Embedding, Vocabulary);
        if (RopeFrequencies) Vector("rope_freqs.weight", HeadDim / 2, around: 4);
        if (LongRope) Vector("rope_factors_long.weight", (RopeDims ?? HeadDim) / 2, around: 8);
        if (LongRope) Vector("rope_factors_short.weight", (RopeDims ?? HeadDim) / 2, around: 1);
        for (int layer = 0; layer < Layers; layer++)
        {
            string block = $"blk.{layer}.";
            Norm(block + "attn_norm.weight", NormPlaces.BeforeAttention);
            if (FusesAttention)
                Projection(block + "attn_qkv", Embedding, queries + keys + values);
            else
                Projection(block + "attn_q", Embedding, queries);
            if (layer % Shared == 0 && !FusesAttention)
            {
                Projection(block + "attn_k", Embedding, keys);
                Projection(block + "attn_v", Embedding, values);
            }
            if (QkNorm) Vector(block + "attn_q_norm.weight", NormsHeadsAsOne ? queries : HeadDim, around: 1);
            if (QkNorm) Vector(block + "attn_k_norm.weight", NormsHeadsAsOne ? keys : HeadDim, around: 1);
            if (Sinks) Vector(block + "attn_sinks.weight", Heads, around: 0.5f, deviation: 1);
            Matrix(block + "attn_output.weight", Heads * (ValueDim ?? HeadDim), Embedding);
            if (OutputBiases) Vector(block + "attn_output.bias", Embedding, around: 0);
            Norm(block + "post_attention_norm.weight", NormPlaces.AfterAttention);
            Norm(block + (NormIsPostAttention ? "post_attention_norm.weight" : "ffn_norm.weight"), NormPlaces.BeforeFeedForward);
            if (Experts > 0)
            {
                AddExperts(block);
                continue;
            }
            if (!FusesNetwork) Network(block + "ffn_gate", Embedding, FeedForward);
            Network(block + "ffn_up", Embedding, FusesNetwork ? 2 * FeedForward : FeedForward);
            Network(block + "ffn_down", FeedForward, Embedding);
            Norm(block + "post_ffw_norm.weight", NormPlaces.AfterFeedForward);
        }
        Vector("output_norm.weight", Embedding, around: 1);
        if (!TiedOutput) Matrix("output.weight", Embedding, Vocabulary);

        void AddExperts(string block)
        {
            // small routers choose at random where sums are rounded otherwise: this one's logits lie further apart
            Add(block + "ffn_gate_inp.weight", TensorType.F32, [Embedding, Experts],
                Normal(random, Embedding * Experts, 0, 4 / MathF.Sqrt(Embedding)));
            if (NetworkBiases) Vector(block + "ffn_gate_inp.bias", Experts, around: 0);
            foreach ((string name, int columns, int rows) in (ReadOnlySpan<(string, int, int)>)
                [
                    ("ffn_gate_exps", Embedding, FeedForward), ("ffn_up_exps", Embedding, FeedForward),
                    ("ffn_down_exps", FeedForward, Embedding),
                ])
            {
                Stack(name, columns, rows);
                if (NetworkBiases)
                    Add($"{block}{name}.bias", TensorType.F32, [rows, Experts], Normal(random, rows * Experts, around: 0, deviation: 0.1f));
            }

            void Stack(string name, int columns, int rows)
            {
                if ((ExpertType ?? Type) is var type && RowFormat.CanQuantize(type))
                    Add($"{block}{name}.weight", type, [columns, rows, Experts],
                        Normal(random, columns * rows * Experts, around: 0, deviation: 1 / MathF.Sqrt(columns)));
                else
                    AddRandomBytes($"{block}{name}.weight", type, columns, rows);
            }
        }

        // what can only be read
        void AddRandomBytes(string name, TensorType type, int columns, int rows)
        {
            ulong seed = (ulong)random.Next() << 32;
            writer.Add(name, type, [columns, rows, Experts], (firstRow, memory) =>
            {
                int bytes = (int)type.RowBytes(columns);
                for (int i = 0; i * bytes < memory.Length; i++)
                    RandomWeights.Fill(type, columns, seed + (ulong)(firstRow + i), memory.Span.Slice(i * bytes, bytes));
            });
        }

        void Projection(string name, int columns, int rows)
        {
            Matrix(name + ".weight", columns, rows);
            if (Biases) Vector(name + ".bias", rows, around: 0);
        }

        void Network(string name, int columns, int rows)
        {
            Matrix(name + ".weight", columns, rows);
            if (NetworkBiases) Vector(name + ".bias", rows, around: 0);
        }

        void Norm(string name, NormPlaces place)
        {
            if (Norms.HasFlag(place)) Vector(name, Embedding, around: 1);
        }

        void Matrix(string name, int columns, int rows) =>
            Add(name, Type, [columns, rows], Normal(random, columns * rows, around: 0, deviation: 1 / MathF.Sqrt(columns)));

        void Vector(string name, int columns, float around, float deviation = 0.1f) =>
            Add(name, TensorType.F32, [columns], Normal(random, columns, around, deviation));

        void Add(string name, TensorType type, ImmutableArray<long> shape, float[] values) =>
            writer.Add(name, type, shape, (firstRow, rows) => Pack(type, (int)shape[0], values, firstRow, rows.Span));
    }

    static void Pack(TensorType type, int columns, float[] values, long firstRow, Span<byte> rows)
    {
        int rowBytes = (int)type.RowBytes(columns);
        for (int i = 0; i * rowBytes < rows.Length; i++)
            RowFormat.Quantize(type, values.AsSpan((int)(firstRow + i) * columns, columns), rows.Slice(i * rowBytes, rowBytes));
    }

    static float[] Normal(Random random, int count, float around, float deviation)
    {
        var values = new float[count];
        for (int i = 0; i < count; i++)
        {
            // Twelve uniform numbers add up to nearly a normal one, and unlike Box and Muller's sine, to the same bits everywhere.
            double sum = -6;
            for (int k = 0; k < 12; k++) sum += random.NextDouble();
            values[i] = around + deviation * (float)sum;
        }
        return values;
    }
}
