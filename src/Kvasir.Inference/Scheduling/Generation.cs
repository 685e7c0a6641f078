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
        int prompt = _sequence.Tokens.Length;
        long start = Stopwatch.GetTimestamp(), first = 0, last = start, computed = _sequence.Computed;
        FinishReason? finish = _options.MaxTokens == 0 ? FinishReason.Length : null;
        _sequence.Blocks.BeginRequest(prompt);
        if (finish is null)
            _sequence.Blocks.Match(_sequence.Tokens);
        while (finish is null)
        {
            if (cancellation.IsCancellationRequested && _tokens.Count == 0)
                finish = FinishReason.Cancelled;
            else if (Step() is { } token)
            {
                last = Stopwatch.GetTimestamp();
                (first, computed) = first == 0 ? (last, _sequence.Computed - computed) : (first, computed);
                finish = Take(token, cancellation);
            }
        }
        _sequence.Blocks.EndRequest();
        Emit(_stops.Append(_detokenizer.Flush()) + _stops.Flush());
        int decoded = _sequence.Tokens.Length - prompt - 1;
        TimeSpan decodeTime = first == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(first, last);
        return new GenerationResult
        {
            TokenIds = _tokens,
            Text = _text.ToString(),
            FinishReason = finish.Value,
            PromptTokens = prompt,
            Kv = _sequence.Blocks.Use,
            ComputedTokens = (int)(first == 0 ? _sequence.Computed - computed : computed),
            Seed = _sampler.Seed,
            TimeToFirstToken = first == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(start, first),
            DecodeTime = decodeTime,
            DecodeTokensPerSecond = GenerationResult.PerSecond(Math.Max(0, decoded), decodeTime),
        };
    }

    /// <summary>Computes the next piece, in turn with other generations; returns a token once the whole sequence is computed.</summary>
    int? Step()
    {
        if (_engine.Turns.AreWanted)
            _sequence.Blocks.WaitForAll(); // others may compute while this one only waits
        using Turns.Turn turn = _engine.Turns.Take();
        Span<float> logits = _engine.Step(_sequence, _tokens.Count == 0 ? _options.Progress : null);
        return logits.IsEmpty ? null : _sampler.Next(logits, _sequence.Tokens);
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
