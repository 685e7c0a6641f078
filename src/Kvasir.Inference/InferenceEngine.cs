using System.Diagnostics;
using Kvasir.Inference.Kernels;
using Kvasir.Inference.Model;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;

namespace Kvasir.Inference;

/// <summary>
/// Turns tokens into tokens: a model, its cache and the threads that compute. Several threads may generate at the same time, each its own sequence: their
/// steps take turns, and what one has computed the others find at their next step.
/// </summary>
public sealed class InferenceEngine : IDisposable
{
    const int LeastTokensToTime = 64; // fewer say little about the speed of prefill

    readonly EngineOptions _options;
    readonly ComputePool _compute;
    readonly CpuKernels _kernels;
    readonly Transformer _transformer;
    readonly Batch _batch = new();
    readonly List<(int From, int To)> _missing = []; // positions of the batch

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
        Cache = new TieredKvCache(Layout, SharesBlocks ? ModelFingerprint.Of(model.Digest, Layout, options.KvHostCodec) : default, CacheOptions());
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

    /// <summary>The keys and values of all sequences, and of those before them.</summary>
    public TieredKvCache Cache { get; }

    internal Turns Turns { get; } = new();

    bool SharesBlocks => _options.KvReuse == KvReuse.On;

    /// <summary>An empty sequence.</summary>
    /// <param name="salt">Whose it is: only what was computed under the same salt is used again. Empty for nobody's in particular.</param>
    public Sequence NewSequence(ReadOnlySpan<byte> salt = default) => new(this, Cache.NewSequence(salt, SharesBlocks, Context));

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
        while (!TryForwardChunk(sequence, most, wantsAllLogits: true)) { }
        return _batch.Count;
    }

    /// <summary>The logits of a row of the last <see cref="ForwardWithLogits"/>, [vocabulary]; valid until the next.</summary>
    internal ReadOnlySpan<float> LogitsOf(int i) => _transformer.Logits(i);

    /// <summary>Computes what is missing of a sequence and returns the logits after its last token, [vocabulary]; empty when cancelled.</summary>
    internal Span<float> Forward(Sequence sequence, IProgress<PrefillProgress>? progress, CancellationToken cancellation)
    {
        Span<float> logits = [];
        while (logits.IsEmpty && !cancellation.IsCancellationRequested)
            logits = Step(sequence, progress);
        return logits;
    }

    /// <summary>Computes the next chunk of what is missing; returns the logits after the last token, [vocabulary], or nothing while there is more to compute.</summary>
    internal Span<float> Step(Sequence sequence, IProgress<PrefillProgress>? progress)
    {
        if (_options.KvReuse == KvReuse.Off)
            sequence.Blocks.Table.Clear();
        if (sequence.Cached == sequence.Tokens.Length)
            throw new InvalidOperationException("the last token is computed already and its logits are gone");
        do
        {
            while (!TryForwardChunk(sequence, int.MaxValue, wantsAllLogits: false)) { }
            progress?.Report(new PrefillProgress(sequence.Cached, sequence.Tokens.Length));
        }
        while (_options.KvReuse == KvReuse.Off && sequence.Cached < sequence.Tokens.Length); // half of it would be forgotten before the next step
        return sequence.Cached == sequence.Tokens.Length ? _transformer.Logits(0) : [];
    }

    /// <summary>Computes missing tokens, the first ones; false when blocks that they attend to did not come, and are holes now.</summary>
    bool TryForwardChunk(Sequence sequence, int most, bool wantsAllLogits)
    {
        CachedSequence blocks = sequence.Blocks;
        if (!wantsAllLogits)
            blocks.Adopt(sequence.Tokens);
        CollectMissing(sequence, Math.Min(most, _transformer.MaxTokens));
        _batch.Clear();
        foreach ((int from, int to) in _missing)
            for (int position = from; position < to; position++)
                _batch.Add(sequence.Tokens[position], position, blocks, wantsAllLogits || position == sequence.Tokens.Length - 1);
        long start = Stopwatch.GetTimestamp();
        bool undisturbed = !blocks.IsWaiting;
        if (!_transformer.Forward(_batch))
            return false;
        if (_batch.Count >= LeastTokensToTime && undisturbed)
            Cache.Computed(_batch.Count, Stopwatch.GetElapsedTime(start));
        foreach ((int from, int to) in _missing)
            blocks.Fill(sequence.Tokens, from, to);
        sequence.Computed += _batch.Count;
        return true;
    }

    void CollectMissing(Sequence sequence, int most)
    {
        BlockTable table = sequence.Blocks.Table;
        _missing.Clear();
        for (int position = table.Length, rows = 0; rows < most && position < sequence.Tokens.Length; position = table.NextMissing(position))
        {
            int to = Math.Min(Math.Min(table.EndOfMissing(position), sequence.Tokens.Length), position + most - rows);
            if (!sequence.Blocks.TryReserve(to))
                throw new InvalidOperationException($"the pool has no room for {to - position} more tokens: {Cache.Device.Counts}");
            _missing.Add((position, to));
            rows += to - position;
            position = to;
        }
    }

    /// <summary>Ends the compute threads, finishes what is being written to the disk and frees the memory. Sequences must be disposed before.</summary>
    public void Dispose()
    {
        _compute.Dispose();
        _transformer.Dispose();
        _kernels.Dispose();
        Cache.Dispose();
    }

    KvCacheOptions CacheOptions() => new()
    {
        DeviceBlocks = DeviceBlocks(),
        HostBytes = SharesBlocks ? _options.KvHostBytes : 0,
        HostCodec = _options.KvHostCodec,
        Disk = SharesBlocks ? _options.KvDisk : null,
        Admission = _options.KvDiskAdmission,
        ModelName = Model.Config.Name,
    };

    int DeviceBlocks()
    {
        int least = Layout.BlocksFor(Context) + 1; // one more, of which a tail is copied
        if (_options.KvDeviceBytes is not { } bytes)
            return checked((least - 1) * _options.Sequences + 1);
        long blocks = bytes / Layout.StrideBytes;
        return blocks >= least
            ? (int)Math.Min(blocks, int.MaxValue / Layout.BlockTokens)
            : throw new ArgumentException($"KV device bytes: {bytes:N0}, which hold {Math.Max(0, blocks) * Layout.BlockTokens:N0} tokens, expected at least {least * Layout.StrideBytes:N0} for a context of {Context:N0}");
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
