namespace Kvasir.Inference.Synthesis;

/// <summary>The dimensions of a well-known model, from its published configuration: enough to measure its speed and memory without its weights.</summary>
public sealed record ModelShape
{
    /// <summary>Every shape, by name.</summary>
    public static IReadOnlyDictionary<string, ModelShape> All { get; } = new ModelShape[]
    {
        new() { Name = "smollm2-135m", Architecture = "llama", Layers = 30, Width = 576, FeedForward = 1536, Heads = 9, KvHeads = 3, HeadDim = 64, Vocabulary = 49152, Context = 8192, RopeBase = 100_000 },
        new() { Name = "qwen3-0.6b", Architecture = "qwen3", Layers = 28, Width = 1024, FeedForward = 3072, Heads = 16, KvHeads = 8, HeadDim = 128, Vocabulary = 151936, Context = 40960, RopeBase = 1_000_000, QkNorm = true },
        new() { Name = "llama-3.2-1b", Architecture = "llama", Layers = 16, Width = 2048, FeedForward = 8192, Heads = 32, KvHeads = 8, HeadDim = 64, Vocabulary = 128256, Context = 131072, RopeBase = 500_000, RopeFactor = 32 },
        new() { Name = "llama-3-8b", Architecture = "llama", Layers = 32, Width = 4096, FeedForward = 14336, Heads = 32, KvHeads = 8, HeadDim = 128, Vocabulary = 128256, Context = 8192, RopeBase = 500_000, TiedOutput = false },
    }.ToDictionary(shape => shape.Name);

    /// <summary>Name as users type it.</summary>
    public required string Name { get; init; }

    /// <summary>Architecture as GGUF names it.</summary>
    public required string Architecture { get; init; }

    /// <summary>Transformer layers.</summary>
    public required int Layers { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int Width { get; init; }

    /// <summary>Width of the feed-forward network.</summary>
    public required int FeedForward { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key-value heads.</summary>
    public required int KvHeads { get; init; }

    /// <summary>Elements of a head.</summary>
    public required int HeadDim { get; init; }

    /// <summary>Tokens of the vocabulary.</summary>
    public required int Vocabulary { get; init; }

    /// <summary>Trained context in tokens.</summary>
    public required int Context { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public required float RopeBase { get; init; }

    /// <summary>Llama 3's scaling factor of low rotary frequencies, or 0 for none.</summary>
    public int RopeFactor { get; init; }

    /// <summary>A norm over each head of queries and keys.</summary>
    public bool QkNorm { get; init; }

    /// <summary>The output matrix is the embedding.</summary>
    public bool TiedOutput { get; init; } = true;
}
