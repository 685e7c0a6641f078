using Kvasir.Inference.Model;
using Kvasir.KvCache;
using Kvasir.KvCache.Retention;

namespace Kvasir.Inference.Retention;

/// <summary>
/// Finds out which positions of an exact prefix matter, by passes whose rows look at it and answer nothing. Nothing is left out before all
/// rows have looked. A pass at a time, so that others compute in between.
/// </summary>
sealed class RetentionProfile : IDisposable
{
    readonly Transformer _transformer;
    readonly CachedSequence _blocks;
    readonly int[] _tokens;
    readonly Scorer? _scorer;
    readonly int _trained;
    int _done;

    /// <param name="policy">What is asked.</param>
    /// <param name="prefix">The exact prefix, computed.</param>
    /// <param name="tokens">Its tokens.</param>
    /// <param name="prompt">What is known of the model's vocabulary and shape.</param>
    public RetentionProfile(RetentionPolicy policy, CachedSequence prefix, int[] tokens, ProfileParts prompt)
    {
        (_transformer, _blocks, _tokens, _trained) = (prompt.Transformer, prefix, tokens, prompt.Config.Context);
        _scorer = Scorer.Of(policy, tokens, prefix.Table, prompt);
        _done = _scorer?.FirstRow ?? tokens.Length;
    }

    /// <summary>Whether all rows have looked.</summary>
    public bool IsOver => _done == _tokens.Length;

    /// <summary>The next pass. False when the pool has no room for its rows.</summary>
    public bool TryStep()
    {
        Batch batch = new() { Observer = _scorer };
        int chunk = _scorer!.LeavesCache ? _tokens.Length : ReplayScorer.Chunk;
        int from = _done, start = from - from % chunk, chunkEnd = Math.Min(_tokens.Length, start + chunk);
        int to = Math.Min(chunkEnd, from + _transformer.MaxTokens);
        if (!_scorer.LeavesCache)
        {
            if (!_blocks.TryReserve(_tokens.Length + chunkEnd - start))
                return false;
            // past the context that the model was trained for, rows repeat from within it
            _scorer.Shift(Math.Min(0, Math.Max(_trained, _tokens.Length) - (_tokens.Length + chunkEnd - start)));
        }
        for (int token = from; token < to; token++)
            batch.Add(_tokens[token], _scorer.LeavesCache ? token : _tokens.Length + token - start, _blocks, wantsLogits: false);
        _transformer.Forward(batch);
        _done = to;
        return true;
    }

    /// <summary>What was found out: null where a policy needs none.</summary>
    public RetentionScores? Scores(RetentionShape shape) => _scorer?.Scores(shape);

    /// <summary>What each layer's heads need, in a FastGen policy.</summary>
    public FastGenHead[][]? Heads => (_scorer as FastGenScorer)?.Heads;

    public void Dispose() => _scorer?.Dispose();
}
