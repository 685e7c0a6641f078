using System.Diagnostics;
using System.Text;
using Kvasir.Inference.Drafting;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Masks;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Lookups;
using Kvasir.KvCache.Views;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// One completion being served: its tokens are computed by the scheduler; here they are chosen, decoded, filtered and
/// handed out until something ends it.
/// </summary>
sealed partial class Generation
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    readonly EngineParts _engine;
    readonly Sequence _own;
    readonly RetentionRun? _retention;
    readonly PageReads? _pages; // of what comes after the prompt
    readonly string? _whyAll;
    readonly Sampler _sampler;
    readonly StopFilter _stops;
    readonly Detokenizer _detokenizer;
    readonly LogprobMeter? _logprobs;
    readonly ThoughtSpan? _thoughts;
    readonly PromptMeter? _prompt;
    ConstrainedText? _form; // from where the grammar begins to hold
    readonly bool _ownsSequence;
    readonly CancellationToken _cancellation;
    readonly StringBuilder _text = new();
    readonly List<int> _tokens = [];
    readonly int _promptTokens;
    readonly long _submitted = Stopwatch.GetTimestamp();
    long _started, _first, _last, _computed;
    Task<PrefixLookup>? _lookup;
    Action? _over;
    CancellationTokenRegistration _cancelled; // while it is looked up
    TimeSpan _lookupTime, _store;
    CacheUse? _use; // of the prompt, when it was paused later
    float[]? _hidden;
    bool _hasLine;

    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public Generation(EngineParts engine, Sequence sequence, GenerationOptions options, bool ownsSequence, CancellationToken cancellation)
    {
        options.Validate();
        (_engine, _own, Options, _ownsSequence, _cancellation) = (engine, sequence, options, ownsSequence, cancellation);
        _promptTokens = sequence.Tokens.Length;
        if (options.Retention is { Policy: { ReadsPages: true } policy })
        {
            PageReads pages = new(engine.Layout, policy, _promptTokens);
            _whyAll = engine.Cache.WhyNotByPages(pages, Math.Min(engine.Context, _promptTokens + (options.MaxTokens ?? engine.Context)));
            _pages = _whyAll is null ? pages : null;
        }
        _retention = options.Retention is { Policy.ReadsPages: false } retention ? new RetentionRun(engine, sequence, retention) : null;
        _sampler = new Sampler(options.Sampling, engine.Tokenizer.Bytes);
        _stops = new StopFilter(options.Stops, options.KeepsStop);
        _detokenizer = Detokenizer.After(engine.Tokenizer, sequence.Tokens, spelled: options.Spelled);
        _thoughts = options.Thoughts is { } thoughts ? new ThoughtSpan(thoughts, engine.Tokenizer, options.Grammar is not null) : null;
        _prompt = options.PromptLogprobs is { } likely ? new PromptMeter(likely, _promptTokens) : null;
        foreach (int token in options.Speculative.Prediction)
            if ((uint)token >= (uint)engine.Config.Vocabulary)
                throw new ArgumentException($"prediction: token {token}, expected 0 to {engine.Config.Vocabulary - 1}");
        SpeculativeMode mode = options.Speculative.Mode ?? engine.Speculative;
        (_drafter, DraftsAnyway) = (NewDrafter(mode), mode == SpeculativeMode.Lookup);
        _logprobs = options is { TopLogprobs: { } top, LogprobsAfterSampling: false } ? new LogprobMeter(top) : null;
    }

    /// <summary>What is computed: the sequence that grows, or the prefix of which a view is to be made.</summary>
    public Sequence Sequence => _retention?.Subject ?? _own;

    public GenerationOptions Options { get; }

    /// <summary>What the caller reads.</summary>
    public Completion Completion { get; } = new();

    /// <summary>Its place among all that ever came.</summary>
    public long Number { get; set; }

    public bool IsCancelled => _cancellation.IsCancellationRequested;

    public bool IsOver { get; private set; }

    /// <summary>Since its turn came first.</summary>
    public TimeSpan Age => Stopwatch.GetElapsedTime(_started);

    /// <summary>Blocks of the pool that it needs beyond those that it, or others for it, hold.</summary>
    public int BlocksWanted => Sequence.Blocks.BlocksWanted(Sequence.Tail);

    /// <summary>The same of the layers with windows, where those have blocks of their own.</summary>
    public int WindowBlocksWanted => Sequence.Blocks.WindowBlocksWanted(Sequence.Tail);

    /// <summary>The same, wherever they lie.</summary>
    public int AllBlocksWanted => Sequence.Blocks.AllBlocksWanted(Sequence.Tail);

    /// <summary>Whether a part of it is read from outside the pool.</summary>
    public bool IsStreamed => Sequence.Blocks.StreamedBlocks > 0;

    /// <summary>The last step that it was in.</summary>
    public long Step { get; set; }

    /// <summary>Whether passes are to look at its prefix.</summary>
    public bool IsProfiling => _retention is { IsProfiling: true };

    /// <summary>Whether it comes to its view, and nothing of it is to be computed meanwhile.</summary>
    public bool IsArriving => _lookup is not null || _retention is { IsGathering: true } or { IsGathered: true } or { Waits: true };

    /// <summary>Whether it holds the blocks of a prefix of which a view is made, and will give them back.</summary>
    public bool HoldsPrefix => _retention?.Subject is not null;

    /// <summary>Computes the keys of its blocks ahead, on whichever thread has the time.</summary>
    public void ComputeKeys()
    {
        if (_retention is null)
            _own.Blocks.ComputeKeys(_own.Tail);
        else
            _retention.ComputeKeys();
    }

    /// <summary>
    /// Its turn has come, for the first time or again: what the tiers have of its tokens is looked up, and
    /// somebody is told when that is over.
    /// </summary>
    public void Arrive(Action over)
    {
        _over = over;
        if (_started == 0)
            (_started, _computed) = (Stopwatch.GetTimestamp(), Computed);
        if (Options.MaxTokens == 0 && !Options.WantsHidden && _prompt is null)
        {
            Sequence.Blocks.BeginRequest(Sequence.Tail.Length);
            Finish(FinishReason.Length);
            return;
        }
        if (_retention is null)
            _own.LeaveView();
        if (_pages is not null)
            _own.Blocks.Read(_pages);
        FindView();
    }

    /// <summary>A view is there, or is to be made, or another completion makes it.</summary>
    void FindView()
    {
        if (_retention is not null)
        {
            _retention.Ended = _over;
            _retention.Arrive();
        }
        if (_retention is not { Waits: true })
            LookUp();
    }

    /// <summary>What the tiers have of the tokens that are to be computed is looked up.</summary>
    void LookUp()
    {
        if (_retention?.Subject is null)
            _own.Blocks.BeginRequest(_own.Tail.Length, _retention?.Use ?? ReadsPages, _retention?.Before);
        else
            Sequence.Blocks.BeginRequest(Sequence.Tokens.Length);
        if (_engine.Recomputes)
            Sequence.Blocks.Forget();
        else if ((_lookup = Sequence.Blocks.Lookup(Sequence.Tail)) is { IsCompleted: false } lookup)
        {
            lookup.ContinueWith(_ => _over!(), TaskScheduler.Default);
            _cancelled = _cancellation.Register(_over!); // nobody may be there whose steps would notice it
        }
    }

    RetentionUse? ReadsPages => Options.Retention is not { Policy: { ReadsPages: true } policy } ? null
        : new RetentionUse(policy.ToString()) { Pages = _pages, WhyExact = _whyAll };

    long Computed => _own.Computed + (_retention?.Subject?.Computed ?? 0);

    /// <summary>Whether the lookup is over, and what an earlier request, given up since, still brings to the sequence.</summary>
    public bool HasArrived(bool mayWait) =>
        _retention is not { IsGathering: true } and not { IsWaiting: true } && _lookup is not { IsCompleted: false }
        && (mayWait || !Sequence.Blocks.IsWaiting || Sequence.Blocks.HasArrived);

    /// <summary>Brings in what was found; behind a view that is gathered, what is there is looked up first.</summary>
    public void Begin()
    {
        if (_retention is { Waits: true })
        {
            FindView();
            return;
        }
        if (_retention is { IsGathered: true })
        {
            _retention.Enter();
            LookUp();
            return;
        }
        if (_lookup is not { } lookup)
            return;
        _cancelled.Dispose();
        PrefixLookup found = lookup.GetAwaiter().GetResult();
        Sequence.Blocks.Place(Sequence.Tail, found);
        Sequence.Blocks.Use.Foreseen = _engine.Forecast.Of(Sequence.Tail.Length);
        (_lookup, _lookupTime) = (null, _lookupTime + found.Time);
    }

    /// <summary>Gives its blocks back to the cache, to fetch them again when its turn comes.</summary>
    public void Pause()
    {
        Sequence.Blocks.EndRequest(isWhole: Sequence == _own);
        if (Sequence == _own)
            _use ??= Sequence.Blocks.Use;
        _retention?.Pause();
        _own.Blocks.Clear(_own.Tail);
        _engine.Cache.FlushCopies(s_patience); // others take the blocks at once, and what is not copied yet would have to be computed again
    }

    /// <summary>A part of the prompt is computed, and more is to come.</summary>
    public void Advance()
    {
        if (_tokens.Count > 0 || (Options.Progress is null && !Options.TellsProgress))
            return;
        int done = Sequence.Cached, computed = (int)(_first == 0 ? Computed - _computed : _computed);
        PrefillProgress progress = new(done, _own.Tokens.Length, Math.Max(0, done - computed));
        Options.Progress?.Report(progress);
        if (Options.TellsProgress)
            Completion.Emit(new CompletionPiece("", -1, null, progress));
    }

    /// <summary>Whether the logits after every token of the prompt are wanted.</summary>
    public bool ReadsPrompt => _prompt is { IsReading: true };

    /// <summary>The sequence's last tokens are computed, from a position on, each with its logits.</summary>
    public void ReadPrompt(ForwardPass pass, int firstRow, int from)
    {
        _prompt!.Take(pass, firstRow, from, Sequence.Cached, Sequence.Tokens, _engine.Config.Name);
        if (!_prompt.IsReading)
            Completion.Emit(
                new CompletionPiece("", -1, null, new PrefillProgress(_promptTokens, _promptTokens) { Logprobs = _prompt.Read }));
    }

    /// <summary>The last token is computed: chooses the next one from its logits, and more as long as they were guessed.</summary>
    /// <param name="pass">The pass.</param>
    /// <param name="row">Its row of logits.</param>
    /// <param name="drafted">Guessed tokens that have the rows behind it.</param>
    /// <returns>How many of those belong to the sequence now.</returns>
    public int Take(ForwardPass pass, int row, int drafted)
    {
        if (_retention?.Subject is not null)
        {
            Advance();
            _retention.BeginProfile();
            WatchProfile();
            return 0;
        }
        long computed = _own.Computed;
        _last = Stopwatch.GetTimestamp();
        if (_first == 0)
            (_first, _computed) = (_last, Computed - _computed);
        Advance();
        if (Choose(pass, row, drafted) is { } reason)
            Finish(reason);
        else if (_engine.Recomputes)
            Sequence.Blocks.Forget();
        return (int)(_own.Computed - computed);
    }

    /// <summary>A pass of at most so many rows looks at the prefix.</summary>
    public void StepProfile(int rows)
    {
        _retention!.StepProfile(rows);
        WatchProfile();
    }

    void WatchProfile()
    {
        _retention!.WhenGathered(_over!);
        if (!_retention.IsProfiling && !IsArriving)
            LookUp(); // it stays exact
    }

    /// <summary>It is over.</summary>
    public void Finish(FinishReason reason)
    {
        IsOver = true;
        long start = Stopwatch.GetTimestamp();
        _own.Blocks.EndRequest();
        _store = Stopwatch.GetElapsedTime(start);
        Emit(_stops.Append(_detokenizer.Flush()) + _stops.Flush(), -1, null);
        GenerationResult result = Result(reason);
        Release();
        Completion.Complete(result);
    }

    /// <summary>Something is wrong with it, or with the engine.</summary>
    public void Fail(Exception e)
    {
        IsOver = true;
        Release();
        Completion.Fail(e);
    }

    /// <summary>Before anybody hears that it is over: whoever does may want the sequence, or the room.</summary>
    void Release()
    {
        _cancelled.Dispose();
        _retention?.Dispose();
        _own.Blocks.ReadAll();
        if (_ownsSequence)
            _own.Dispose();
        _own.IsBusy = false;
    }
}
