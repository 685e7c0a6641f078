using System.Diagnostics;
using System.Text;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Tokenization;

namespace Kvasir.Inference.Scheduling;

/// <summary>One completion in progress: forward, choose, decode, filter, until something ends it.</summary>
sealed class Generation
{
    readonly InferenceEngine _engine;
    readonly Sequence _sequence;
    readonly GenerationOptions _options;
    readonly Action<string> _emit;
    readonly Sampler _sampler;
    readonly StopFilter _stops;
    readonly Detokenizer _detokenizer;
    readonly StringBuilder _text = new();
    readonly List<int> _tokens = [];

    public Generation(InferenceEngine engine, Sequence sequence, GenerationOptions options, Action<string> emit)
    {
        (_engine, _sequence, _options, _emit) = (engine, sequence, options, emit);
        if (options.MaxTokens < 0)
            throw new ArgumentException($"tokens to generate: {options.MaxTokens}, expected 0 or more");
        if (options.Stops.Any(string.IsNullOrEmpty))
            throw new ArgumentException("stop: an empty text, expected at least one character");
        _sampler = new Sampler(options.Sampling);
        _stops = new StopFilter(options.Stops);
        _detokenizer = Detokenizer.After(engine.Model.Tokenizer, sequence.Tokens);
    }

    public GenerationResult Run(CancellationToken cancellation)
    {
        int prompt = _sequence.Tokens.Length, reused = _sequence.Cached;
        long start = Stopwatch.GetTimestamp(), first = 0, last = start;
        FinishReason? finish = _options.MaxTokens == 0 ? FinishReason.Length : null;
        while (finish is null)
        {
            Span<float> logits = _engine.Forward(_sequence, _tokens.Count == 0 ? _options.Progress : null, cancellation);
            if (logits.IsEmpty)
            {
                finish = FinishReason.Cancelled;
                break;
            }
            finish = Take(_sampler.Next(logits, _sequence.Tokens), cancellation);
            last = Stopwatch.GetTimestamp();
            first = first == 0 ? last : first;
        }
        Emit(_stops.Append(_detokenizer.Flush()) + _stops.Flush());
        int decoded = _sequence.Tokens.Length - prompt - 1;
        TimeSpan decodeTime = first == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(first, last);
        return new GenerationResult
        {
            TokenIds = _tokens,
            Text = _text.ToString(),
            FinishReason = finish.Value,
            PromptTokens = prompt,
            ReusedTokens = reused,
            ComputedTokens = Math.Min(prompt, _sequence.Cached) - reused,
            Seed = _sampler.Seed,
            TimeToFirstToken = first == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(start, first),
            DecodeTime = decodeTime,
            DecodeTokensPerSecond = GenerationResult.PerSecond(Math.Max(0, decoded), decodeTime),
        };
    }

    /// <summary>Takes one chosen token; returns why the completion is over, or null when it goes on.</summary>
    FinishReason? Take(int token, CancellationToken cancellation)
    {
        _sequence.Append(token);
        if (_engine.Model.Tokenizer.Ends.Contains(token))
            return FinishReason.Stop;
        _tokens.Add(token);
        Emit(_stops.Append(_detokenizer.Append(token)));
        if (_stops.Stopped)
            return FinishReason.Stop;
        if (_tokens.Count == _options.MaxTokens || _sequence.Tokens.Length == _engine.Context)
            return FinishReason.Length;
        return cancellation.IsCancellationRequested ? FinishReason.Cancelled : null;
    }

    void Emit(string text)
    {
        if (text.Length == 0)
            return;
        _text.Append(text);
        _emit(text);
    }
}
