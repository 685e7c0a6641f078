using System.Diagnostics;
using Kvasir.Inference.Sampling;
using Kvasir.Inference.Sampling.Constraints;

namespace Kvasir.Inference.Scheduling;

/// <summary>How a completion's next token is chosen and told, and what comes of it in the end.</summary>
sealed partial class Generation
{
    /// <summary>Takes the next token; returns why the completion is over, or null when it goes on.</summary>
    FinishReason? Choose(Span<float> logits)
    {
        LogitsException.Checked(logits, "logits", _engine.Config.Name);
        _logprobs?.Read(logits);
        if (_thoughts?.Forced is { } forced)
            return Go(forced);
        bool isTooShort = _tokens.Count < Options.MinTokens, isHeld = Options.Grammar is not null;
        if (isTooShort || (isHeld && _thoughts is { IsInside: true }))
            MaskEnds(logits);
        if (isHeld && _thoughts is not { IsInside: true })
            Hold(logits, isTooShort);
        if (isTooShort && isHeld && float.IsNegativeInfinity(logits[TopLogits.Largest(logits)]))
            return FinishReason.Stop; // all that may come is a stop token
        int token = _sampler.Next(logits, Sequence.Tokens, _promptTokens);
        token = Options.Replayed?[_tokens.Count] ?? token;
        if (_thoughts is not { IsInside: true } && token != _thoughts?.Opener)
            _form?.Accept(token);
        return Go(token);
    }

    /// <summary>Leaves the tokens that the grammar allows, and the one that begins thoughts while they may begin.</summary>
    void Hold(Span<float> logits, bool isTooShort)
    {
        _form ??= new ConstrainedText(Options.Grammar!, _engine.TokenTrie.Value, _detokenizer.DropsSpace, Options.Spelled)
            .After(Options.GrammarBehind);
        float opener = _thoughts?.Opener is { } begins ? logits[begins] : 0;
        _form.Mask(logits, Options.IgnoresEnds || isTooShort);
        if (_thoughts?.Opener is { } kept)
            logits[kept] = opener;
    }

    /// <summary>Goes on with a token; returns why the completion is over, or null when it goes on.</summary>
    FinishReason? Go(int token)
    {
        Sequence.Append(token);
        if (_form?.HasEnded == true || (!Options.IgnoresEnds && _engine.Tokenizer.Ends.Contains(token)))
        {
            if (_prompt is not null) // who is told of all tokens hears of this one, too
                Completion.Emit(new CompletionPiece("", token, _logprobs?.Of(token)));
            return FinishReason.Stop;
        }
        if (Options.StopTokens.Contains(token))
        {
            Emit(Options.KeepsStop ? _stops.Append(_detokenizer.Append(token)) : "", -1, null);
            return FinishReason.Stop;
        }
        _tokens.Add(token);
        string text = _detokenizer.Append(token);
        bool isThought = _thoughts?.Take(token, text) == true && !Options.Thoughts!.AreText;
        Emit(_tokens.Count < Options.MinTokens || isThought ? _stops.Flush() + text : _stops.Append(text), token, Logprobs(token));
        if (_stops.Stopped)
            return FinishReason.Stop;
        return _tokens.Count == Options.MaxTokens || Sequence.Tokens.Length == _engine.Context || IsLate ? FinishReason.Length : null;
    }

    /// <summary>Whether it has taken the time that it may, and a line is whole.</summary>
    bool IsLate => Options.MostTime is { } most && _hasLine && Stopwatch.GetElapsedTime(_first) > most;

    TokenLogprobs? Logprobs(int token) => Options is { LogprobsAfterSampling: true, TopLogprobs: { } top }
        ? new TokenLogprobs(token, _sampler.LogChance(token), _sampler.LogChances(token, top))
        : _logprobs?.Of(token);

    void MaskEnds(Span<float> logits)
    {
        if (!Options.IgnoresEnds && (Options.Grammar is null || _thoughts is { IsInside: true })) // which knows itself
            foreach (int end in _engine.Tokenizer.Ends)
                logits[end] = float.NegativeInfinity;
        foreach (int stop in Options.StopTokens)
            if (stop < logits.Length)
                logits[stop] = float.NegativeInfinity;
    }

    void Emit(string text, int token, TokenLogprobs? logprobs)
    {
        if (text.Length == 0 && token < 0)
            return;
        _text.Append(text);
        _hasLine |= text.Contains('\n');
        Completion.Emit(new CompletionPiece(text, token, logprobs));
    }

    GenerationResult Result(FinishReason reason)
    {
        int decoded = _own.Tokens.Length - _promptTokens - 1;
        TimeSpan decodeTime = _first == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_first, _last);
        return new GenerationResult
        {
            TokenIds = _tokens,
            Text = _text.ToString(),
            FinishReason = reason,
            StopText = _stops.Found,
            ThoughtTokens = _thoughts?.Tokens ?? 0,
            ReadPrompt = _prompt is not null,
            PromptTokens = _promptTokens,
            Kv = _use ?? _own.Blocks.Use,
            ComputedTokens = (int)(_first == 0 && _started > 0 ? Computed - _computed : _computed),
            Seed = _sampler.Seed,
            QueueTime = Stopwatch.GetElapsedTime(_submitted, _started > 0 ? _started : Stopwatch.GetTimestamp()),
            TimeToFirstToken = _first == 0 ? TimeSpan.Zero : Stopwatch.GetElapsedTime(_submitted, _first),
            DecodeTime = decodeTime,
            DecodeTokensPerSecond = GenerationResult.PerSecond(Math.Max(0, decoded), decodeTime),
            LookupTime = _lookupTime,
            StoreTime = _store,
            Hidden = _hidden,
            Drafts = _drafter?.Use,
        };
    }
}
