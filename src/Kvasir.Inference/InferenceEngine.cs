using System.Diagnostics;
using Kvasir.Formats.Models;
using Kvasir.Inference.Model;
using Kvasir.Inference.Retention;
using Kvasir.Inference.Scheduling;
using Kvasir.KvCache;
using Kvasir.KvCache.Layout;
using Kvasir.KvCache.Prefixes;
using Kvasir.KvCache.Streaming;
using Kvasir.KvCache.Tiers;

namespace Kvasir.Inference;

/// <summary>
/// Turns tokens into tokens: a model, its cache and the threads that compute. Any number of completions may be under way, each of its own
/// sequence: they are computed together, and what one has computed the others find at their next step.
/// </summary>
public sealed partial class InferenceEngine : IDisposable
{
    const int WarmUpTokens = 128;

    static readonly TimeSpan s_warmUp = TimeSpan.FromSeconds(1);

    readonly ITransformer _transformer;
    readonly EngineParts _parts;
    readonly ForwardPass _pass; // of those who compute without the scheduler
    readonly Lazy<Scheduler> _scheduler;

    /// <param name="model">The model; must outlive the engine.</param>
    /// <param name="options">Sizes and settings.</param>
    /// <exception cref="ArgumentException">An option is out of its range; the message names it.</exception>
    /// <exception cref="InsufficientMemoryException">No memory for the pool.</exception>
    public InferenceEngine(LanguageModel model, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        (Model, Options) = (model, options);
        Context = ValidContext(model.Config, options);
        model.Backend.Begin(model.Config, options);
        Room = ContextRoom.Here(model.Config, options);
        Layout = Room.Layout;
        Cache = new TieredKvCache(Layout, SharesBlocks ? FingerprintOf(model, options) : default,
            CacheOptions(PoolOf()));
        try
        {
            _transformer = model.Backend.NewTransformer(model, Cache, options, Context);
        }
        catch
        {
            Cache.Dispose();
            throw;
        }
        _parts = Parts();
        if (options.KvRetention is { } retention)
            _parts.Check(retention);
        _pass = _parts.NewPass();
        _scheduler = new Lazy<Scheduler>(() => new Scheduler(_parts));
    }

    /// <summary>The model.</summary>
    public LanguageModel Model { get; }

    /// <summary>Tokens that a sequence may hold.</summary>
    public int Context { get; }

    /// <summary>Where keys and values lie in a block.</summary>
    public KvLayout Layout { get; }

    /// <summary>The keys and values of all sequences, and of those before them.</summary>
    public TieredKvCache Cache { get; }

    /// <summary>What computes on the processor; null where another device does.</summary>
    internal Kernels.ComputePool? Threads => (_transformer as Transformer)?.Threads;

    /// <summary>What the engine is doing.</summary>
    public SchedulerCounts Serving => _scheduler.IsValueCreated ? _scheduler.Value.Counts : default;

    /// <summary>Most completions that compute at the same time.</summary>
    public int MaxRunning => Options.MaxRunning;

    internal EngineOptions Options { get; }

    bool SharesBlocks => Options.KvReuse == KvReuse.On;

    /// <summary>An empty sequence.</summary>
    /// <param name="salt">Whose it is: only what was computed under the same salt is used again. Empty for nobody's in particular.</param>
    public Sequence NewSequence(ReadOnlySpan<byte> salt = default) => _parts.NewSequence(salt.ToArray());

    /// <summary>
    /// Begins to complete a sequence. Tokens that are not in the cache are computed first, so the sequence may be new, longer by another
    /// turn, or interrupted before. The completion's tokens, the ending one included, are appended to the sequence, which belongs to the
    /// engine until the result is there.
    /// </summary>
    /// <param name="sequence">A sequence of this engine with at least one token.</param>
    /// <param name="options">How long, and how tokens are chosen.</param>
    /// <param name="cancellation">Ends the completion at the next step; what is there so far is the result.</param>
    /// <exception cref="ArgumentException">The sequence is empty or an option out of range.</exception>
    /// <exception cref="ContextExceededException">The sequence fills the context, so that nothing can follow.</exception>
    /// <exception cref="QueueFullException">As many completions wait as may.</exception>
    /// <exception cref="InvalidOperationException">A completion of the sequence is under way. As the result's failure: sequences at rest
    /// hold the blocks that this one needs.</exception>
    public Completion Start(Sequence sequence, GenerationOptions options, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(sequence);
        ArgumentNullException.ThrowIfNull(options);
        if (sequence.Engine != _parts)
            throw new ArgumentException("the sequence belongs to another engine");
        if (options.PromptLogprobs is not null)
            throw new ArgumentException("prompt logprobs: of a sequence that goes on, expected a prompt: all of it is computed for them");
        CheckPrompt(sequence, options);
        return Submit(new Generation(_parts, sequence, options, ownsSequence: false, cancellation));
    }

    /// <summary>
    /// Begins to complete a prompt. Its sequence is the engine's: its blocks go back to the cache as soon as the completion is over.
    /// </summary>
    /// <param name="prompt">At least one token.</param>
    /// <param name="options">How long, and how tokens are chosen.</param>
    /// <param name="salt">Whose it is: only what was computed under the same salt is used again. Empty for nobody's in particular.</param>
    /// <param name="cancellation">Ends the completion at the next step; what is there so far is the result.</param>
    /// <exception cref="ArgumentException">The prompt is empty, a token is not of the vocabulary, or an option out of range.</exception>
    /// <exception cref="ContextExceededException">The prompt does not fit, or fills the context so that nothing can follow.</exception>
    /// <exception cref="QueueFullException">As many completions wait as may.</exception>
    public Completion Start(ReadOnlySpan<int> prompt, GenerationOptions options, ReadOnlySpan<byte> salt = default,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        Sequence sequence = options.PromptLogprobs is null ? NewSequence(salt) : _parts.NewPrivateSequence(salt.ToArray());
        sequence.Append(prompt);
        CheckPrompt(sequence, options);
        return Submit(new Generation(_parts, sequence, options, ownsSequence: true, cancellation));
    }

    /// <summary>
    /// Begins to compute the keys and values of a prompt and nothing else, for another machine: its root is known, and not its salt.
    /// </summary>
    /// <param name="prompt">Whole blocks.</param>
    /// <param name="root">The key before the first of them.</param>
    /// <param name="asker">Brings what that machine has of the prompt.</param>
    /// <param name="cancellation">Ends it at the next step.</param>
    internal Completion StartPrefill(ReadOnlySpan<int> prompt, BlockKey root, IPeer asker, CancellationToken cancellation)
    {
        if (Layout.Windowed is not null)
            throw new InvalidOperationException("layers with windows have blocks of their own here, expected whole blocks");
        Sequence sequence = new(_parts, () => Cache.NewSequence(root, asker, Context));
        sequence.Append(prompt);
        return Submit(new Generation(_parts, sequence, new GenerationOptions { MaxTokens = 0, WantsHidden = true, TellsProgress = true },
            ownsSequence: true, cancellation));
    }

    void CheckPrompt(Sequence sequence, GenerationOptions options)
    {
        if (options.Retention is { } retention)
            _parts.Check(retention.Policy);
        if (sequence.Tokens.IsEmpty)
            throw new ArgumentException("the prompt is empty: there is nothing to continue");
        if (sequence.Tokens.Length > Context - (options.MaxTokens == 0 ? 0 : 1))
            throw new ContextExceededException(sequence.Tokens.Length, Context, Model.Config.Context);
    }

    Completion Submit(Generation generation)
    {
        Sequence sequence = generation.Sequence;
        if (Interlocked.Exchange(ref sequence.IsBusy, true))
            throw new InvalidOperationException("a completion of this sequence is under way");
        try
        {
            generation.ComputeKeys(); // here, not on the thread that computes for everybody
            _scheduler.Value.Submit(generation);
        }
        catch
        {
            sequence.IsBusy = false;
            throw;
        }
        return generation.Completion;
    }

    /// <summary>Completes a sequence and waits for it, like <see cref="Start(Sequence, GenerationOptions, CancellationToken)"/>.</summary>
    /// <param name="sequence">A sequence of this engine with at least one token.</param>
    /// <param name="options">How long, and how tokens are chosen.</param>
    /// <param name="emit">Receives text as it comes, on the calling thread, never half a character.</param>
    /// <param name="cancellation">Ends the completion at the next step; what is there so far is returned.</param>
    public GenerationResult Generate(Sequence sequence, GenerationOptions options, Action<string> emit,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(emit);
        Completion completion = Start(sequence, options, cancellation);
        try
        {
            while (completion.Pieces.WaitToReadAsync(CancellationToken.None).AsTask().GetAwaiter().GetResult())
                while (completion.Pieces.TryRead(out CompletionPiece piece))
                    if (piece.Text.Length > 0)
                        emit(piece.Text);
        }
        catch
        {
            ((IAsyncResult)completion.Result).AsyncWaitHandle.WaitOne(); // the sequence is the caller's again
            throw;
        }
        return completion.Result.GetAwaiter().GetResult();
    }

    /// <summary>
    /// Computes something that nobody wants, for about as long as it takes the runtime to compile what computes: a server's
    /// first requests are then as fast as later ones. Leaves nothing in the cache, but knows afterwards how fast it computes.
    /// Not while completions are under way.
    /// </summary>
    public void WarmUp()
    {
        using Sequence sequence = _parts.NewPrivateSequence([]);
        long start = Stopwatch.GetTimestamp();
        for (int round = 0; round < 32 && Stopwatch.GetElapsedTime(start) < s_warmUp; round++)
        {
            sequence.Clear();
            sequence.Append(new int[Math.Min(WarmUpTokens, Context - 1)]);
            Forward(sequence, progress: null, CancellationToken.None);
            sequence.Append(0);
            Forward(sequence, progress: null, CancellationToken.None);
        }
    }

    /// <summary>
    /// Logits after every token of the sequence that is not in the cache yet: [tokens, vocabulary]. For tests and evaluation.
    /// </summary>
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

    /// <summary>
    /// Computes the next tokens of the sequence that are not in the cache, at most so many, each with its logits; returns how many.
    /// </summary>
    internal int ForwardWithLogits(Sequence sequence, int most)
    {
        Compute(sequence, most, wantsAllLogits: true);
        return _pass.Rows;
    }

    /// <summary>The logits of a row of the last <see cref="ForwardWithLogits"/>, [vocabulary]; valid until the next.</summary>
    internal ReadOnlySpan<float> LogitsOf(int i) => _pass.Logits(i);

    /// <summary>
    /// Computes what is missing of a sequence and returns the logits after its last token, [vocabulary]; empty when cancelled. On the
    /// calling thread, so not while completions are under way: for measurements and tests.
    /// </summary>
    internal Span<float> Forward(Sequence sequence, IProgress<PrefillProgress>? progress, CancellationToken cancellation)
    {
        if (sequence.Cached == sequence.Tokens.Length)
            throw new InvalidOperationException("the last token is computed already and its logits are gone");
        while (sequence.Cached < sequence.Tokens.Length)
        {
            if (cancellation.IsCancellationRequested)
                return [];
            sequence.Blocks.Adopt(sequence.Tail);
            Compute(sequence, int.MaxValue, wantsAllLogits: false);
            progress?.Report(new PrefillProgress(sequence.Cached, sequence.Tokens.Length));
        }
        return _pass.Logits(0);
    }

    void Compute(Sequence sequence, int most, bool wantsAllLogits)
    {
        do
        {
            if (sequence.Blocks.Failure is { } why)
                throw new IOException(why);
            _pass.Clear();
            while (!_pass.TryAdd(sequence, most, wantsAllLogits))
                if (sequence.Blocks.IsWaiting)
                    sequence.Blocks.WaitForAll(); // what fills the pool can be moved as soon as it is there
                else if (!sequence.Blocks.TryMoveOut())
                    throw _parts.NoRoomFor(sequence);
        }
        while (!_pass.TryCompute());
    }

    /// <summary>Cancels what is under way and takes nothing more; returns when all of it is over.</summary>
    public void StopServing() => _scheduler.Value.Dispose();

    /// <summary>
    /// Cancels what is under way, ends the threads, finishes what is being written to the disk and frees the memory.
    /// Sequences must be disposed before.
    /// </summary>
    public void Dispose()
    {
        if (_scheduler.IsValueCreated)
            StopServing();
        _transformer.Dispose();
        Cache.Dispose();
    }

    EngineParts Parts() => new()
    {
        Config = Model.Config,
        Tokenizer = Model.Tokenizer,
        TokenTrie = Model.TokenTrie,
        Transformer = _transformer,
        Device = Model.Backend.Name,
        Cache = Cache,
        Forecast = new StepForecast(Cache, Room.Capacity, Model.Weights.BytesPerStep),
        Context = Context,
        MaxRunning = Options.MaxRunning,
        MaxWaiting = Options.MaxWaiting,
        StepTime = Options.StepTime,
        Recomputes = Options.KvReuse == KvReuse.Off,
        Speculative = Options.Speculative,
        SharesBlocks = SharesBlocks,
    };

    KvCacheOptions CacheOptions((int DeviceBlocks, StreamingOptions? Streaming) pool) => new()
    {
        DeviceBlocks = pool.DeviceBlocks,
        NewArena = NewArena,
        WindowBlocks = Room.WindowBlocks,
        Streaming = pool.Streaming,
        HostBytes = SharesBlocks || pool.Streaming is not null ? Options.KvHostBytes - Room.WindowHostBytes : 0,
        WindowHostBytes = SharesBlocks ? Room.WindowHostBytes : 0,
        HostCodec = Options.KvHostCodec,
        Disk = SharesBlocks ? Options.KvDisk : null,
        FurtherTiers = SharesBlocks ? Options.KvFurtherTiers : [],
        Peer = SharesBlocks ? Options.KvPeer : null,
        LookupDeadline = Options.KvLookupDeadline,
        CloseDeadline = Options.KvCloseDeadline,
        ModelName = Model.Config.Name,
    };

    /// <summary>What names the keys and values that a model has with some options.</summary>
    /// <exception cref="ArgumentException">Rows of the model cannot be stored so.</exception>
    public static Fingerprint FingerprintOf(LanguageModel model, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        int context = ValidContext(model.Config, options);
        return ModelFingerprint.Of(model.Digest, LayoutOf(model.Config, options), options.KvHostCodec,
            model.Config.Attention.Any(layer => RotaryTables.IsLong(layer.Rope, context)), model.Backend.Numerics);
    }

    /// <summary>
    /// Bytes of pool that one sequence at full context needs: the least that <see cref="EngineOptions.KvDeviceBytes"/> may be.
    /// </summary>
    public static long PoolBytes(LanguageModel model, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        return ContextRoom.Of(model.Config, options with { KvDeviceBytes = null }).PoolBytes;
    }

    /// <summary>
    /// Bytes of pool that a view takes beside a sequence at full context from which it is made, and rows that look at that, if the view is
    /// of half as many bytes.
    /// </summary>
    public static long ViewBytes(LanguageModel model, EngineOptions options)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(options);
        KvLayout layout = LayoutOf(model.Config, options);
        return BlocksOfView(layout, ValidContext(model.Config, options)) * layout.StrideBytes;
    }

    internal static KvLayout LayoutOf(ModelSpec model, EngineOptions options) =>
        new KvLayout(options.BlockTokens, options.KvKeyCodec, options.KvValueCodec, KvLayers.Of(model)) is { LongestWindow: > 0 } whole
            && whole.LongestWindow < model.Context && options.KvWindowsApart ? whole.WithWindowsApart()
        : new KvLayout(options.BlockTokens, options.KvKeyCodec, options.KvValueCodec, KvLayers.Of(model));

    static int BlocksOfView(KvLayout layout, int context) =>
        layout.BlocksFor(context) / 2 + layout.BlocksFor(ReplayScorer.LongestPiece + ReplayScorer.LeadIn);

    internal static int ValidContext(ModelSpec config, EngineOptions options)
    {
        int context = options.Context ?? Math.Min(config.Context, EngineOptions.DefaultContext);
        Check(context is >= 1 and <= 1 << 24, "context", context, $"1 to {1 << 24}");
        Check(options.Threads is >= 1 and <= 1024, "threads", options.Threads, "1 to 1024");
        Check(options.Sequences >= 1, "sequences", options.Sequences, "at least 1");
        Check(options.MaxRunning >= 1, "running completions", options.MaxRunning, "at least 1");
        Check(options.MaxWaiting >= 1, "waiting completions", options.MaxWaiting, "at least 1");
        Check(options.PrefillChunk >= 1, "prefill chunk", options.PrefillChunk, "at least 1");
        Check(options.KvWindows is null or >= 1, "windows", options.KvWindows ?? 0, "at least 1");
        Check(options.BlockTokens is >= 16 and <= 1024 && options.BlockTokens % 16 == 0, "block tokens",
            options.BlockTokens, "a multiple of 16 up to 1024");
        return context;
    }

    static void Check(bool holds, string name, int seen, string expected)
    {
        if (!holds)
            throw new ArgumentException($"{name}: {seen}, expected {expected}");
    }
}
