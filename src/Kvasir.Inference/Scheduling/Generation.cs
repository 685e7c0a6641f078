using System.Diagnostics;
using System.Text;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Sampling.Constraints;
using Kvasir.Inference.Sampling.Constraints.Masks;
using Kvasir.Inference.Tokenization;
using Kvasir.KvCache.Lookups;

namespace Kvasir.Inference.Scheduling;

/// <summary>
/// One completion being served: its tokens are computed by the scheduler; here they are chosen, decoded, filtered and
/// handed out until something ends it.
/// </summary>
sealed class Generation
{
    static readonly TimeSpan s_patience = TimeSpan.FromSeconds(1);

    readonly EngineParts _engine;
    readonly Sampler _sampler;
    readonly StopFilter _stops;
    readonly Detokenizer _detokenizer;
    readonly LogprobMeter? _logprobs;
    readonly ConstrainedText? _form;
    readonly bool _ownsSequence;
    readonly CancellationToken _cancellation;
    readonly StringBuilder _text = new();
    readonly List<int> _tokens = [];
    readonly int _promptTokens;
    readonly long _submitted = Stopwatch.GetTimestamp();
    long _started, _first, _last, _computed;
    Task<PrefixLookup>? _lookup;
    CancellationTokenRegistration _cancelled; // while it is looked up
    TimeSpan _lookupTime, _store;
    CacheUse? _use; // of the prompt, when it was paused later
    float[]? _hidden;

    /// <exception cref="ArgumentException">An option is out of its range.</exception>
    public Generation(EngineParts engine, Sequence sequence, GenerationOptions options, bool ownsSequence, CancellationToken cancellation)
    {
        options.Validate();
        (_engine, Sequence, Options, _ownsSequence, _cancellation) = (engine, sequence, options, ownsSequence, cancellation);
        _promptTokens = sequence.Tokens.Length;
        _sampler = new Sampler(options.Sampling);
        _stops = new StopFilter(options.Stops);
        _detokenizer = Detokenizer.After(engine.Tokenizer, sequence.Tokens);
        _form = options.Grammar is { } grammar ? new ConstrainedText(grammar, engine.TokenTrie.Value, _detokenizer.DropsSpace) : null;
        _logprobs = options.TopLogprobs is { } top ? new LogprobMeter(top) : null;
    }

    /// <summary>What grows.</summary>
    public Sequence Sequence { get; }

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
    public int BlocksWanted => Sequence.Blocks.BlocksWanted(Sequence.Tokens);

    /// <summary>
    /// Its turn has come, for the first time or again: what the tiers have of its tokens is looked up, and
    /// somebody is told when that is over.
    /// </summary>
    public void Arrive(Action over)
    {
        if (_started == 0)
            (_started, _computed) = (Stopwatch.GetTimestamp(), Sequence.Computed);
        Sequence.Blocks.BeginRequest(Sequence.Tokens.Length);
        if (Options.MaxTokens == 0 && !Options.WantsHidden)
            Finish(FinishReason.Length);
        else if (_engine.Recomputes)
            Sequence.Blocks.Table.Clear();
        else if ((_lookup = Sequence.Blocks.Lookup(Sequence.Tokens)) is { IsCompleted: false } lookup)
        {
            lookup.ContinueWith(_ => over(), TaskScheduler.Default);
            _cancelled = _cancellation.Register(over); // nobody may be there whose steps would notice it
        }
    }

    /// <summary>Whether the lookup is over, and what an earlier request, given up since, still brings to the sequence.</summary>
    public bool HasArrived(bool mayWait) =>
        _lookup is not { IsCompleted: false } && (mayWait || !Sequence.Blocks.IsWaiting || Sequence.Blocks.HasArrived);

    /// <summary>Brings in what was found.</summary>
    public void Begin()
    {
        if (_lookup is not { } lookup)
            return;
        _cancelled.Dispose();
        PrefixLookup found = lookup.GetAwaiter().GetResult();
        Sequence.Blocks.Place(Sequence.Tokens, found);
        (_lookup, _lookupTime) = (null, _lookupTime + found.Time);
    }

    /// <summary>Gives its blocks back to the cache, to fetch them again when its turn comes.</summary>
    public void Pause()
    {
        Sequence.Blocks.EndRequest();
        _use ??= Sequence.Blocks.Use;
        Sequence.Blocks.Clear(Sequence.Tokens);
        _engine.Cache.FlushCopies(s_patience); // others take the blocks at once, and what is not copied yet would have to be computed again
    }

    /// <summary>A part of the prompt is computed, and more is to come.</summary>
    public void Advance()
    {
        if (_tokens.Count == 0)
            Options.Progress?.Report(new PrefillProgress(Sequence.Cached, Sequence.Tokens.Length));
    }

    /// <summary>The last token is computed: chooses the next one from its logits.</summary>
    public void Take(ForwardPass pass, int row)
    {
        _last = Stopwatch.GetTimestamp();
        if (_first == 0)
            (_first, _computed) = (_last, Sequence.Computed - _computed);
        Advance();
        if (Options.WantsHidden)
            _hidden = pass.Hidden(row).ToArray();
        if ((Options.MaxTokens == 0 ? FinishReason.Length : Choose(pass.Logits(row))) is { } reason)
            Finish(reason);
        else if (_engine.Recomputes)
            Sequence.Blocks.Table.Clear();
    }

    /// <summary>It is over.</summary>
    public void Finish(FinishReason reason)
    {
        IsOver = true;
        long start = Stopwatch.GetTimestamp();
        Sequence.Blocks.EndRequest();
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
        if (_ownsSequence)
            Sequence.Dispose();
        Sequence.IsBusy = false;
    }

    /// <summary>Takes the next token; returns why the completion is over, or null when it goes on.</summary>
    FinishReason? Choose(Span<float> logits)
    {
        _logprobs?.Read(logits);
        _form?.Mask(logits, Options.IgnoresEnds);
        int token = _sampler.Next(logits, Sequence.Tokens, _promptTokens);
        _form?.Accept(token);
        Sequence.Append(token);
        if (_form?.HasEnded == true || (!Options.IgnoresEnds && _engine.Tokenizer.Ends.Contains(token)))
            return FinishReason.Stop;
        _tokens.Add(token);
        Emit(_stops.Append(_detokenizer.Append(token)), token, _logprobs?.Of(token));
        if (_stops.Stopped)
            return FinishReason.Stop;
        return _tokens.Count == Options.MaxTokens || Sequence.Tokens.Length == _engine.Context ? FinishReason.Length : null;
    }

    void Emit(string text, int token, TokenLogprobs? logprobs)
    {
        if (text.Length == 0 && token < 0)
            return;
        _text.Append(text);
        Completion.Emit(new CompletionPiece(text, token, logprobs));
    }

    GenerationResult Result(FinishReason reason)
    {
        int decoded = Sequence.Tokens.Length - _promptTokens - 1;
        TimeSpan decodeTime = _first == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_first, _last);
        return new GenerationResult
        {
            TokenIds = _tokens,
            Text = _text.ToString(),
            FinishReason = reason,
            StopText = _stops.Found,
            PromptTokens = _promptTokens,
            Kv = _use ?? Sequence.Blocks.Use,
            ComputedTokens = (int)(_first == 0 && _started > 0 ? Sequence.Computed - _computed : _computed),
            Seed = _sampler.Seed,
            QueueTime = Stopwatch.GetElapsedTime(_submitted, _started > 0 ? _started : Stopwatch.GetTimestamp()),
            TimeToFirstToken = _first == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_submitted, _first),
            DecodeTime = decodeTime,
            DecodeTokensPerSecond = GenerationResult.PerSecond(Math.Max(0, decoded), decodeTime),
            LookupTime = _lookupTime,
            StoreTime = _store,
            Hidden = _hidden,
        };
    }
}
