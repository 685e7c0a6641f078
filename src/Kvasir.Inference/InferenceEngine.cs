using Kvasir.Inference.Kernels;
using Kvasir.Inference.Model;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;
using Kvasir.KvCache.Blocks;

namespace Kvasir.Inference;

/// <summary>Turns tokens into tokens: a model, its KV pool and the threads that compute. Not thread-safe: one caller at a time.</summary>
public sealed class InferenceEngine : IDisposable
{
    readonly EngineOptions _options;
    readonly ComputePool _compute;
    readonly CpuKernels _kernels;
    readonly Transformer _transformer;
    readonly Batch _batch = new();

    /// <param name="model">The model; must outlive the engine.</param>
    /// <param name="options">Sizes and settings.</param>
    /// <exception cref="ArgumentException">An option is out of its range; the message names it.</exception>
    /// <exception cref="InsufficientMemoryException">No memory for the pool.</exception>
    public InferenceEngine(LanguageModel model, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        (Model, _options) = (model, options);
        Context = ValidContext(model.Config, options);
        Layout = new KvLayout(options.BlockTokens, options.KvCodec, model.Config.KvLayers);
        Pool = new BlockPool(Layout, checked(Layout.BlocksFor(Context) * options.Sequences));
        _compute = new ComputePool(options.Threads);
        _kernels = CpuKernels.Create(options.InstructionSet, _compute);
        _transformer = new Transformer(model.Config, model.Weights, Layout, _kernels, Math.Min(options.PrefillChunk, Context));
    }

    /// <summary>The model.</summary>
    public LanguageModel Model { get; }

    /// <summary>Tokens that a sequence may hold.</summary>
    public int Context { get; }

    /// <summary>Where keys and values lie in a block.</summary>
    public KvLayout Layout { get; }

    /// <summary>The blocks of all sequences.</summary>
    public BlockPool Pool { get; }

    /// <summary>An empty sequence.</summary>
    public Sequence NewSequence() => new(this, Pool);

    /// <summary>
    /// Completes a sequence. Tokens that are not in the cache are computed first, so the sequence may be new, longer by another turn, or
    /// interrupted before. The completion's tokens, the ending one included, are appended to the sequence.
    /// </summary>
    /// <param name="sequence">A sequence of this engine with at least one token.</param>
    /// <param name="options">How long, and how tokens are chosen.</param>
    /// <param name="emit">Receives text as it comes, never half a character.</param>
    /// <param name="cancellation">Ends the completion at the next step; what is there so far is returned.</param>
    /// <exception cref="ArgumentException">The sequence is empty or an option out of range.</exception>
    /// <exception cref="ContextExceededException">The sequence fills the context, so that nothing can follow.</exception>
    /// <exception cref="InvalidOperationException">Other sequences hold the blocks that this one needs.</exception>
    public GenerationResult Generate(Sequence sequence, GenerationOptions options, Action<string> emit, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(emit);
        if (sequence.Engine != this)
            throw new ArgumentException("the sequence belongs to another engine");
        if (sequence.Tokens.IsEmpty)
            throw new ArgumentException("the prompt is empty: there is nothing to continue");
        if (sequence.Tokens.Length >= Context)
            throw new ContextExceededException(sequence.Tokens.Length + 1, Context, Model.Config.Context);
        return new Generation(this, sequence, options, emit).Run(cancellation);
    }

    /// <summary>Logits after every token of the sequence that is not in the cache yet: [tokens, vocabulary]. For tests and evaluation.</summary>
    internal float[][] ComputeLogits(Sequence sequence)
    {
        List<float[]> logits = [];
        while (sequence.Cached < sequence.Tokens.Length)
        {
            int count = ForwardWithLogits(sequence, int.MaxValue);
            for (int i = 0; i < count; i++)
                logits.Add(LogitsOf(i).ToArray());
        }
        return [.. logits];
    }

    /// <summary>Computes the next tokens of the sequence that are not in the cache, at most so many, each with its logits; returns how many.</summary>
    internal int ForwardWithLogits(Sequence sequence, int most)
    {
        ForwardChunk(sequence, most, wantsAllLogits: true);
        return _batch.LogitRows.Count;
    }

    /// <summary>The logits after the i-th token of the last <see cref="ForwardWithLogits"/>, [vocabulary]; valid until the next.</summary>
    internal ReadOnlySpan<float> LogitsOf(int i) => _transformer.Logits(i);

    /// <summary>Computes what is missing of a sequence and returns the logits after its last token, [vocabulary]; empty when cancelled.</summary>
    internal Span<float> Forward(Sequence sequence, IProgress<PrefillProgress>? progress, CancellationToken cancellation)
    {
        if (_options.KvReuse == KvReuse.Off)
            sequence.Table.Clear();
        if (sequence.Cached == sequence.Tokens.Length)
            throw new InvalidOperationException("the last token is computed already and its logits are gone");
        while (sequence.Cached < sequence.Tokens.Length)
        {
            if (cancellation.IsCancellationRequested)
                return [];
            ForwardChunk(sequence, int.MaxValue, wantsAllLogits: false);
            progress?.Report(new PrefillProgress(sequence.Cached, sequence.Tokens.Length));
        }
        return _transformer.Logits(0);
    }

    void ForwardChunk(Sequence sequence, int most, bool wantsAllLogits)
    {
        int from = sequence.Cached, to = Math.Min(sequence.Tokens.Length, from + Math.Min(most, _transformer.MaxTokens));
        if (!sequence.Table.TryReserve(to))
            throw new InvalidOperationException($"the pool has no room for {to - from} more tokens: {Pool.Counts}");
        _batch.Clear();
        for (int position = from; position < to; position++)
            _batch.Add(sequence.Tokens[position], position, sequence.Table, wantsAllLogits || position == sequence.Tokens.Length - 1);
        _transformer.Forward(_batch);
        sequence.Table.Advance(to);
    }

    /// <summary>Ends the compute threads and frees the pool.</summary>
    public void Dispose()
    {
        _compute.Dispose();
        _transformer.Dispose();
        _kernels.Dispose();
        Pool.Dispose();
    }

    static int ValidContext(ModelConfig config, EngineOptions options)
    {
        int context = options.Context ?? Math.Min(config.Context, EngineOptions.DefaultContext);
        Check(context is >= 1 and <= 1 << 24, "context", context, $"1 to {1 << 24}");
        Check(options.Threads is >= 1 and <= 1024, "threads", options.Threads, "1 to 1024");
        Check(options.Sequences >= 1, "sequences", options.Sequences, "at least 1");
        Check(options.PrefillChunk >= 1, "prefill chunk", options.PrefillChunk, "at least 1");
        Check(options.BlockTokens is >= 16 and <= 1024 && options.BlockTokens % 16 == 0, "block tokens", options.BlockTokens, "a multiple of 16 up to 1024");
        return context;
    }

    static void Check(bool holds, string name, int seen, string expected)
    {
        if (!holds)
            throw new ArgumentException($"{name}: {seen}, expected {expected}");
    }
}
