using System.Collections.Immutable;

namespace Kvasir.Formats.Models;

/// <summary>
/// What follows from an architecture's name rather than from a key of its file, in both formats. The facts are those of the classes in
/// <see href="https://github.com/huggingface/transformers"/> and of <see href="https://github.com/ggml-org/llama.cpp"/>.
/// </summary>
sealed record ModelFamily
{
    public static ModelFamily Llama { get; } = new();
    public static ModelFamily Qwen2 { get; } = new() { Rope = RopeStyle.Halves };
    public static ModelFamily Qwen3 { get; } = Qwen2 with { HasQkNorm = true };
    public static ModelFamily Phi3 { get; } = new() { Rope = RopeStyle.Halves };
    public static ModelFamily Gemma { get; } =
        new() { Rope = RopeStyle.Halves, Activation = FeedForwardSpec.Gelu, ScalesEmbedding = true, IsTied = true };
    public static ModelFamily SmolLm3 { get; } = new() { RotatesAllButEvery = 4 };
    public static ModelFamily Olmo2 { get; } = new()
    {
        Rope = RopeStyle.Halves,
        Norms = NormPlaces.AfterAttention | NormPlaces.AfterFeedForward,
        HasQkNorm = true,
        NormsHeadsAsOne = true,
        FullEvery = 4,
        StretchesOnlyFullLayers = true,
    };
    public static ModelFamily Granite { get; } = new() { DividesLogits = true, FinetunedMeansRotated = true };
    public static ModelFamily Glm4 { get; } = new() { Norms = NormPlaces.AroundSublayers };
    public static ModelFamily Gemma2 { get; } = Gemma with { Norms = NormPlaces.AroundSublayers, FullEvery = 2, LayersScaledByWidth = 46 };
    public static ModelFamily Gemma3 { get; } =
        Gemma2 with { HasQkNorm = true, FullEvery = 6, LocalRopeBase = 10_000, LayersScaledByWidth = 62 };
    public static ModelFamily Gemma3n { get; } = Gemma3 with
    {
        FullEvery = 5,
        LayersScaledByWidth = 0,
        AttentionScale = 1,
        Beyond = "alternating updates of four streams, learned residuals and embeddings for each layer",
    };
    public static ModelFamily GptOss { get; } =
        new() { Rope = RopeStyle.Halves, FullEvery = 2, HasSinks = true, Limit = 7 };
    public static ModelFamily DeepSeek { get; } = new() { WeighsAmongAll = true };
    public static ModelFamily CommandR { get; } =
        new() { Norm = NormKind.Layer, Norms = NormPlaces.BeforeAttention, IsParallel = true, IsTied = true };
    public static ModelFamily Cohere2 { get; } = CommandR with { FullEvery = 4, RotatesOnlyWindows = true };
    public static ModelFamily Falcon { get; } =
        CommandR with { Rope = RopeStyle.Halves, Activation = "gelu", IsGated = false };
    public static ModelFamily Lfm2 { get; } = new() { Rope = RopeStyle.Halves, HasQkNorm = true, HasConvolutions = true };

    /// <summary>The families by the names of <c>general.architecture</c>.</summary>
    public static ImmutableSortedDictionary<string, ModelFamily> Gguf { get; } = new Dictionary<string, ModelFamily>
    {
        ["llama"] = Llama, ["qwen2"] = Qwen2, ["qwen3"] = Qwen3, ["qwen3moe"] = Qwen3, ["phi3"] = Phi3,
        ["gemma"] = Gemma, ["gemma2"] = Gemma2, ["gemma3"] = Gemma3, ["gemma3n"] = Gemma3n, ["gpt-oss"] = GptOss,
        ["deepseek2"] = DeepSeek, ["command-r"] = CommandR, ["cohere2"] = Cohere2, ["falcon"] = Falcon, ["lfm2"] = Lfm2,
        ["mistral3"] = Llama, ["smollm3"] = SmolLm3, ["olmo2"] = Olmo2, ["granite"] = Granite, ["glm4"] = Glm4,
    }.ToImmutableSortedDictionary(StringComparer.Ordinal);

    /// <summary>Where there is a window, every so many layers one attends to everything; 0 where all slide.</summary>
    public int FullEvery { get; private init; }

    /// <summary>Which elements are rotated together, as GGUF files hold the weights.</summary>
    public RopeStyle Rope { get; private init; } = RopeStyle.Adjacent;

    /// <summary>Base of the rotary frequencies in sliding layers, which are not stretched then; null where it is that of all.</summary>
    public float? LocalRopeBase { get; private init; }

    /// <summary>Whether layers that attend to everything rotate nothing.</summary>
    public bool RotatesOnlyWindows { get; private init; }

    /// <summary>Whether sliding layers are not stretched where the others are, with the same base.</summary>
    public bool StretchesOnlyFullLayers { get; private init; }

    /// <summary>Every so many layers one rotates nothing, unless a file says which; 0 where all do.</summary>
    public int RotatesAllButEvery { get; private init; }

    /// <summary>Whether <c>rope.scaling.finetuned = false</c> says that nothing is rotated.</summary>
    public bool FinetunedMeansRotated { get; private init; }

    /// <summary>A norm over each head of queries and keys, or over all of them.</summary>
    public bool HasQkNorm { get; private init; }

    /// <summary>Whether that is one norm for all heads.</summary>
    public bool NormsHeadsAsOne { get; private init; }

    /// <summary>A sink for each query head.</summary>
    public bool HasSinks { get; private init; }

    /// <summary>
    /// Whether the weight of an expert that a token chooses is its share among all, unless a GGUF file says otherwise.
    /// </summary>
    public bool WeighsAmongAll { get; private init; }

    /// <summary>What the network's activations are held within, unless a file says otherwise.</summary>
    public float? Limit { get; private init; }

    /// <summary>Whether the file gives what logits are divided by.</summary>
    public bool DividesLogits { get; private init; }

    /// <summary>What scores are multiplied with; null for <c>1 / sqrt(key dim)</c>.</summary>
    public float? AttentionScale { get; private init; }

    /// <summary>A model of so many layers, the largest, has scores scaled by <c>1 / sqrt(width / heads)</c>, whatever its heads.</summary>
    public int LayersScaledByWidth { get; private init; }

    /// <summary>How it normalises.</summary>
    public NormKind Norm { get; private init; } = NormKind.Rms;

    /// <summary>Where it does.</summary>
    public NormPlaces Norms { get; private init; } = NormPlaces.BeforeSublayers;

    /// <summary>Attention and network read the same input.</summary>
    public bool IsParallel { get; private init; }

    /// <summary>Activation of the feed-forward network.</summary>
    public string Activation { get; private init; } = FeedForwardSpec.Silu;

    /// <summary>Whether the network is gated.</summary>
    public bool IsGated { get; private init; } = true;

    /// <summary>Embeddings are multiplied with the root of their width.</summary>
    public bool ScalesEmbedding { get; private init; }

    /// <summary>The output matrix is the embedding, unless a file says otherwise.</summary>
    public bool IsTied { get; private init; }

    /// <summary>Layers without KV heads are short convolutions (LFM2).</summary>
    public bool HasConvolutions { get; private init; }

    /// <summary>What the model does that a description has no field for.</summary>
    public string? Beyond { get; private init; }

    /// <summary>Whether a layer rotates queries and keys.</summary>
    public bool Rotates(int layer, bool slides) =>
        (slides || !RotatesOnlyWindows) && (RotatesAllButEvery == 0 || (layer + 1) % RotatesAllButEvery != 0);

    /// <summary>What logits are multiplied with, from what a file says.</summary>
    public float? LogitScaleOf(float? given) => DividesLogits ? 1 / given : given;

    /// <summary>The scale of scores, as a description has it: null for <c>1 / sqrt(key dim)</c>.</summary>
    public float? ScaleOf(int layers, int width, int heads) =>
        layers == LayersScaledByWidth ? 1 / MathF.Sqrt((float)width / heads) : AttentionScale;
}
